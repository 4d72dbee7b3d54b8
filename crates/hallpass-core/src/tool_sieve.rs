//! Takes out of a server's answers the tools that their caller may not call. Bytes in, bytes out, as they come; what
//! it does not take out it does not touch.
//!
//! A result that lists tools is known by its form and by nothing else, neither the request's method nor its id: so no
//! way on which an answer can come shows more than another.

use crate::envelope::{is_spelt_like, members, text_of};
use crate::held_tools::HeldTools;
use crate::json_walk::{Byte, Container, NotJson, Walk};
use crate::name::ServerName;
use crate::opening::Opening;
use crate::policy::{Ask, Effect, Policy};
use std::fmt;
use std::sync::Arc;

/// A member's name longer than this is none that matters, however it is spelt.
const NAME_MOST: usize = 64;

/// What the answer says cannot be told for certain: it must not be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the answer lists cannot be told for certain")
    }
}

impl std::error::Error for Unreadable {}

impl From<NotJson> for Unreadable {
    fn from(_: NotJson) -> Self {
        Self
    }
}

/// What is known of an answer before it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// It may be a list of tools: its scope for caches is `private` from the start. Without it, a scope is changed only
    /// after tools were seen, and tools after a scope that has passed are unreadable.
    pub list: bool,
    /// Its revision knows caches: a list without a scope gets one.
    pub caches: bool,
}

/// Where a list of tools stands in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In a JSON-RPC message: the member `tools` of `result`.
    JsonRpc,
    /// In a frame of the hello dialect: its own member `tools`.
    Frame,
}

/// The tools of one server that one policy shows. One document after the other.
#[derive(Debug)]
pub struct ToolSieve {
    policy: Arc<Policy>,
    server: ServerName,
    expected: Expected,
    form: Form,
    opening: Opening,
    walk: Walk,
    /// How deep messages stand: 1 in a list of messages.
    base: usize,
    /// The member whose value comes next.
    next: Member,
    name: Vec<u8>,
    has_result: bool,
    result: Option<ResultSoFar>,
    doing: Doing,
}

#[derive(Clone, Copy, Debug, Default)]
enum Member {
    #[default]
    Other,
    Result,
    Tools,
    CacheScope,
}

#[derive(Debug)]
struct ResultSoFar {
    has_tools: bool,
    scope: Scope,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Absent,
    Private,
    /// As the server wrote it.
    Passed,
}

#[derive(Debug)]
enum Doing {
    /// What comes is passed on.
    Pass,
    /// Inside a list of tools: each is held back until it is known which one it is.
    List(HeldTools),
    /// A value is left out, ours stands in its place.
    Replace,
}

impl ToolSieve {
    /// For one answer, or one stream of them.
    pub fn new(policy: Arc<Policy>, server: ServerName, expected: Expected) -> Self {
        Self {
            policy,
            server,
            expected,
            form: Form::JsonRpc,
            opening: Opening::default(),
            walk: Walk::new(),
            base: 0,
            next: Member::Other,
            name: Vec::new(),
            has_result: false,
            result: None,
            doing: Doing::Pass,
        }
    }

    /// For messages of another form than JSON-RPC.
    pub fn take_form(&mut self, form: Form) {
        self.form = form;
    }

    /// How deep the members of a result stand.
    fn members(&self) -> usize {
        match self.form {
            Form::JsonRpc => self.base + 2,
            Form::Frame => self.base + 1,
        }
    }

    /// A piece of a document. What may pass is added to `out`.
    pub fn text(&mut self, mut piece: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
        while let Some(byte) = piece.first() {
            let taken = match self.opening {
                Opening::Other => {
                    out.extend_from_slice(piece);
                    return Ok(());
                }
                Opening::Undecided { .. } => {
                    self.opening = self.opening.at(*byte)?;
                    // What decides is read again as what it is.
                    if let Opening::Undecided { .. } = self.opening {
                        out.push(*byte);
                        1
                    } else {
                        0
                    }
                }
                Opening::Json => match self.walk.plain_run(piece) {
                    0 => {
                        self.byte(*byte, out)?;
                        1
                    }
                    run => {
                        self.put(&piece[..run], out)?;
                        run
                    }
                },
            };
            piece = &piece[taken..];
        }
        Ok(())
    }

    /// Bytes between two pieces of a document that are no part of it.
    pub(crate) fn framing(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
        if let Doing::List(held) = &mut self.doing {
            held.framing_comes(bytes.len());
        }
        self.put(bytes, out)
    }

    /// White space of the document that only its framing stands for.
    pub(crate) fn implied_line_end(&mut self) -> Result<(), Unreadable> {
        match self.opening {
            Opening::Json => self.walk.step(b'\n').map(|_| ()).map_err(Unreadable::from),
            Opening::Undecided { .. } | Opening::Other => Ok(()),
        }
    }

    /// Whether something is held back or left out, so that nothing else may stand in between.
    pub(crate) fn is_holding(&self) -> bool {
        match self.doing {
            Doing::List(_) | Doing::Replace => true,
            Doing::Pass => false,
        }
    }

    /// The document is over; another may begin.
    pub fn end(&mut self) -> Result<(), Unreadable> {
        if matches!(self.opening, Opening::Json) && !self.walk.is_complete() {
            return Err(Unreadable);
        }
        self.opening = Opening::default();
        self.walk = Walk::new();
        (self.base, self.next, self.has_result, self.result) = (0, Member::Other, false, None);
        Ok(())
    }

    /// Passes on, or holds, or leaves out, as what is being done says.
    fn put(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
        match &mut self.doing {
            Doing::Pass => out.extend_from_slice(bytes),
            Doing::List(held) => held.push(bytes)?,
            Doing::Replace => {}
        }
        Ok(())
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let depth = self.walk.depth();
        let what = self.walk.step(byte)?;
        match &self.doing {
            Doing::List(_) => self.in_list(byte, what, depth, out),
            Doing::Replace if !self.ends_value_of_result(what, depth) => Ok(()),
            Doing::Replace | Doing::Pass => {
                self.doing = Doing::Pass;
                self.passing(byte, what, depth, out)
            }
        }
    }

    fn ends_value_of_result(&self, what: Byte, depth: usize) -> bool {
        depth == self.members() && matches!(what, Byte::Comma | Byte::Closes)
    }

    fn passing(&mut self, byte: u8, what: Byte, depth: usize, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        match what {
            Byte::NameBegins => self.name.clear(),
            Byte::InName if self.name.len() <= NAME_MOST => self.name.push(byte),
            Byte::NameEnds => self.next = self.member(depth)?,
            Byte::ScalarBegins => return self.value_begins(byte, None, depth, out),
            Byte::Opens(container) => return self.value_begins(byte, Some(container), depth, out),
            Byte::Closes => self.closes(depth, out),
            Byte::InName | Byte::Space | Byte::Colon | Byte::Comma | Byte::InScalar => {}
        }
        out.push(byte);
        Ok(())
    }

    /// Which member the name that was just read is, in the object at this depth.
    fn member(&mut self, depth: usize) -> Result<Member, Unreadable> {
        let wanted: &[(&str, Member)] = match self.form {
            Form::JsonRpc if depth == self.base + 1 => &[("result", Member::Result)],
            Form::JsonRpc if depth == self.members() && self.result.is_some() => {
                &[("tools", Member::Tools), ("cacheScope", Member::CacheScope)]
            }
            Form::Frame if depth == self.members() => &[("tools", Member::Tools)],
            Form::JsonRpc | Form::Frame => return Ok(Member::Other),
        };
        let Some(name) = spelt_out(&self.name)? else { return Ok(Member::Other) };
        let found = wanted.iter().find(|(wanted, _)| is_spelt_like(wanted, &name));
        let Some((wanted, member)) = found else { return Ok(Member::Other) };
        // As in requests: what two parsers could read differently is refused.
        if *wanted == name { Ok(*member) } else { Err(Unreadable) }
    }

    fn value_begins(
        &mut self,
        byte: u8,
        container: Option<Container>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        match (std::mem::take(&mut self.next), container) {
            (Member::Result, container) => self.result_begins(container)?,
            (Member::Tools, container) => self.tools_begin(container)?,
            (Member::CacheScope, _) => {
                if self.marks_scope() {
                    out.extend_from_slice(b"\"private\"");
                    self.doing = Doing::Replace;
                    return Ok(());
                }
            }
            (Member::Other, Some(Container::List)) if depth == 0 => self.base = 1,
            (Member::Other, Some(Container::Object)) if depth == self.base => self.message_begins(),
            (Member::Other, _) => {}
        }
        out.push(byte);
        Ok(())
    }

    fn message_begins(&mut self) {
        self.has_result = false;
        if self.form == Form::Frame {
            self.result = Some(ResultSoFar { has_tools: false, scope: Scope::Absent });
        }
    }

    fn result_begins(&mut self, container: Option<Container>) -> Result<(), Unreadable> {
        if std::mem::replace(&mut self.has_result, true) {
            return Err(Unreadable);
        }
        if container == Some(Container::Object) {
            self.result = Some(ResultSoFar { has_tools: false, scope: Scope::Absent });
        }
        Ok(())
    }

    fn tools_begin(&mut self, container: Option<Container>) -> Result<(), Unreadable> {
        let Some(result) = &mut self.result else { return Err(Unreadable) };
        if std::mem::replace(&mut result.has_tools, true) || result.scope == Scope::Passed {
            return Err(Unreadable);
        }
        match container {
            Some(Container::List) => self.doing = Doing::List(HeldTools::default()),
            Some(Container::Object) => return Err(Unreadable),
            // `null` and the like list nothing.
            None => {}
        }
        Ok(())
    }

    /// Whether the scope that comes is to be ours. Notes what becomes of it.
    fn marks_scope(&mut self) -> bool {
        let Some(result) = &mut self.result else { return false };
        let marks = self.expected.list || result.has_tools;
        result.scope = if marks { Scope::Private } else { Scope::Passed };
        marks
    }

    fn closes(&mut self, depth: usize, out: &mut Vec<u8>) {
        if depth != self.members() {
            return;
        }
        let Some(result) = self.result.take() else { return };
        if self.expected.caches && result.has_tools && result.scope == Scope::Absent {
            out.extend_from_slice(b",\"cacheScope\":\"private\"");
        }
    }

    fn in_list(&mut self, byte: u8, what: Byte, depth: usize, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let elements = self.members() + 1;
        let Doing::List(held) = &mut self.doing else { return Err(Unreadable) };
        match what {
            Byte::Closes if depth == elements => {
                held.list_ends(out);
                self.doing = Doing::Pass;
            }
            Byte::Comma if depth == elements => held.comma_comes(),
            Byte::Opens(Container::Object) if depth == elements => held.tool_begins(),
            // A tool is an object: what else stands in the list cannot be told apart.
            Byte::Opens(Container::List) | Byte::ScalarBegins if depth == elements => return Err(Unreadable),
            Byte::Closes
            | Byte::Comma
            | Byte::Opens(_)
            | Byte::ScalarBegins
            | Byte::InScalar
            | Byte::Space
            | Byte::NameBegins
            | Byte::InName
            | Byte::NameEnds
            | Byte::Colon => {}
        }
        self.put(&[byte], out)?;
        if what == Byte::Closes && depth == elements + 1 { self.tool_ends(out) } else { Ok(()) }
    }

    fn tool_ends(&mut self, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let Doing::List(held) = &mut self.doing else { return Err(Unreadable) };
        let name = tool_name(&held.tool_text())?;
        match self.policy.rule_on(&self.server, Ask::Tool(&name)).effect {
            Effect::Allow => held.show(out),
            Effect::Deny => held.forget(),
        }
        Ok(())
    }
}

/// The name as a call would have to give it: read by the same rules.
fn tool_name(tool: &[u8]) -> Result<String, Unreadable> {
    let text = std::str::from_utf8(tool).map_err(|_| Unreadable)?;
    let [name] = members(text, ["name"]).map_err(|_| Unreadable)?;
    let name = text_of(name, "name").map_err(|_| Unreadable)?;
    Ok(name.unwrap_or_default().into_owned())
}

/// A member's name without escapes; `None` if it is too long to be one that matters.
fn spelt_out(raw: &[u8]) -> Result<Option<String>, Unreadable> {
    if raw.len() > NAME_MOST {
        return Ok(None);
    }
    let text = std::str::from_utf8(raw).map_err(|_| Unreadable)?;
    if !text.contains('\\') {
        return Ok(Some(text.to_owned()));
    }
    serde_json::from_str(&format!("\"{text}\"")).map(Some).map_err(|_| Unreadable)
}
