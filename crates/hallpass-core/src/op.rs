//! One frame of the hello dialect after its `hello`, peeked without copying: what is asked for, or what is answered.
//! The bytes that were judged here are the bytes that are sent on.

use crate::envelope::{DEPTH_MOST, EnvelopeFault, members, object_of, text_of};
use crate::policy::Ask;
use crate::strict_json::depth_of;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// One frame as the gateway sees it.
#[derive(Debug, PartialEq)]
pub struct OpFrame<'a> {
    /// What it is.
    pub op: Cow<'a, str>,
    /// By which an answer belongs to its request, as it was spelt.
    pub request_id: Option<&'a str>,
    /// The tool that is called.
    pub name: Option<Cow<'a, str>>,
    /// With which arguments, as they are spelt. Read only from what is to be judged.
    pub arguments: Option<&'a str>,
    /// It carries an `error`.
    pub has_error: bool,
    /// It says that it is a JSON-RPC message too.
    pub is_json_rpc: bool,
}

impl<'a> OpFrame<'a> {
    /// Peeks at a frame that is to be judged.
    pub fn parse(frame: &'a [u8]) -> Result<Self, EnvelopeFault> {
        let text = object_of(frame)?;
        if depth_of(frame) > DEPTH_MOST {
            return Err(EnvelopeFault::TooDeep);
        }
        let mut read = Self::read(text)?;
        if read.calls_tool() {
            let [arguments] = members(text, ["arguments"])?;
            read.arguments = arguments.map(RawValue::get);
        }
        // Who knows what the server would take for the tool's name then.
        if read.calls_tool() && read.name.is_none() {
            Err(EnvelopeFault::WrongType("name"))
        } else {
            Ok(read)
        }
    }

    /// Peeks at a server's frame, which is passed on whatever it is.
    pub fn peek(frame: &'a [u8]) -> Option<Self> {
        Self::read(object_of(frame).ok()?).ok()
    }

    fn read(text: &'a str) -> Result<Self, EnvelopeFault> {
        let [op, request_id, name, error, jsonrpc] =
            members(text, ["op", "request_id", "name", "error", "jsonrpc"])?;
        Ok(Self {
            op: text_of(op, "op")?.ok_or(EnvelopeFault::NoMessage)?,
            request_id: request_id.map(RawValue::get).filter(|id| *id != "null"),
            name: text_of(name, "name")?,
            arguments: None,
            has_error: error.is_some_and(|error| error.get() != "null"),
            is_json_rpc: jsonrpc.is_some(),
        })
    }

    /// Whether a tool is called.
    pub fn calls_tool(&self) -> bool {
        matches!(&*self.op, "call_tool" | "tool_call")
    }

    /// Whether it is a call by the log's measure: something that is answered.
    pub fn is_call(&self) -> bool {
        self.calls_tool() || self.op == "list_tools"
    }

    /// Whether it is the last answer to its request.
    pub fn ends_call(&self) -> bool {
        matches!(&*self.op, "call_tool_res" | "tool_call_res" | "list_tools_res" | "error")
    }

    /// Whether it is the answer to `list_tools`.
    pub fn lists_tools(&self) -> bool {
        self.op == "list_tools_res"
    }

    /// Whether the call failed, by what its last answer says.
    pub fn failed(&self) -> bool {
        self.has_error || self.op == "error"
    }

    /// What it asks for, as far as a policy can tell.
    pub fn ask(&self) -> Ask<'_> {
        match &*self.op {
            _ if self.calls_tool() => Ask::Tool(self.name.as_deref().unwrap_or_default()),
            "list_tools" | "ping" => Ask::Protocol,
            _ => Ask::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::OpFrame;
    use crate::envelope::EnvelopeFault as Fault;
    use crate::policy::Ask;

    #[test]
    fn a_call_is_peeked_without_copying() {
        let frame =
            br#"{"op":"call_tool","request_id":"r-1","name":"chat","arguments":{"name":1,"error":2}}"#;
        let call = OpFrame::parse(frame).unwrap();
        assert_eq!(
            (&*call.op, call.request_id, call.ask()),
            ("call_tool", Some("\"r-1\""), Ask::Tool("chat"))
        );
        assert!(call.is_call() && !call.has_error);
        assert_eq!(call.arguments, Some(r#"{"name":1,"error":2}"#));
        let odd = OpFrame::parse(br#"{"op":"tool\u005fcall","name":"n\u0061me"}"#).unwrap();
        assert_eq!((odd.request_id, odd.ask()), (None, Ask::Tool("name")));
        assert_eq!(OpFrame::parse(br#"{"op":"list_tools"}"#).unwrap().ask(), Ask::Protocol);
        assert_eq!(OpFrame::parse(br#"{"op":"shutdown"}"#).unwrap().ask(), Ask::Other);
    }

    #[test]
    fn an_answer_says_whether_it_is_the_last_one_and_how_it_ended() {
        for (frame, ends, failed) in [
            (r#"{"op":"call_tool_ack","request_id":1}"#, false, false),
            (r#"{"op":"progress","request_id":1}"#, false, false),
            (r#"{"op":"call_tool_res","request_id":1,"outputs":[]}"#, true, false),
            (r#"{"op":"call_tool_res","request_id":1,"error":null}"#, true, false),
            (r#"{"op":"call_tool_res","request_id":1,"error":{"code":"x"}}"#, true, true),
            (r#"{"op":"error","message":"x"}"#, true, true),
            (r#"{"op":"list_tools_res","request_id":1,"tools":[]}"#, true, false),
        ] {
            let answer = OpFrame::peek(frame.as_bytes()).unwrap();
            assert_eq!((answer.ends_call(), answer.failed()), (ends, failed), "{frame}");
        }
        assert_eq!(OpFrame::peek(b"nothing"), None);
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for (frame, fault) in [
            (&b"[]"[..], Fault::Batch),
            (b"7", Fault::NotObject),
            (b"x", Fault::NotJson),
            (b"{}", Fault::NoMessage),
            (b"{\"op\":null}", Fault::WrongType("op")),
            (b"{\"op\":\"a\",\"op\":\"b\"}", Fault::Duplicate("op")),
            (b"{\"op\":\"call_tool\",\"name\":\"a\",\"Name\":\"b\"}", Fault::OtherCase("name")),
            (b"{\"op\":\"call_tool\",\"name\":[\"a\"]}", Fault::WrongType("name")),
            (b"{\"op\":\"call_tool\",\"request_id\":1}", Fault::WrongType("name")),
            (
                b"{\"op\":\"call_tool\",\"name\":\"a\",\"arguments\":1,\"Arguments\":2}",
                Fault::OtherCase("arguments"),
            ),
            (b"{\"op\":\"\xff\"}", Fault::NotUtf8),
        ] {
            assert_eq!(OpFrame::parse(frame), Err(fault), "{}", String::from_utf8_lossy(frame));
        }
        let deep = format!(
            "{{\"op\":\"call_tool\",\"name\":\"a\",\"arguments\":{}1{}}}",
            "[".repeat(70),
            "]".repeat(70)
        );
        assert_eq!(OpFrame::parse(deep.as_bytes()), Err(Fault::TooDeep));
    }
}
