//! Bars in SVG, drawn into the page itself. Each is as wide as the page: text stands beside the drawing, not in it, so that it
//! stays readable on a phone and on paper.

use super::words;
use crate::markup::{escape, outside};
use hallpass_core::report::{Counts, DayLine, Report, UsageLine, grouped};
use hallpass_core::{UnixTime, usage::day_of};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// More bars than that cannot be told apart.
const BARS_MOST: i64 = 92;
/// Of more clients or tools the rest is drawn as one.
const ROWS_MOST: usize = 10;
const DAY: i64 = 86_400;

/// How the calls of a bar ended.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    answered: u64,
    troubled: u64,
    refused: u64,
}

impl Ends {
    fn add(&mut self, counts: &Counts) {
        self.answered += counts.calls - counts.troubled() - counts.refused;
        self.troubled += counts.troubled();
        self.refused += counts.refused;
    }

    const fn all(self) -> u64 {
        self.answered + self.troubled + self.refused
    }

    fn words(self) -> String {
        format!(
            "{} calls: {} answered well, {} failed or cut, {} refused",
            grouped(self.all()),
            grouped(self.answered),
            grouped(self.troubled),
            grouped(self.refused)
        )
    }

    /// Class and height of each part, from the bottom up, of `full` where `most` calls fill it.
    fn parts(self, most: u64, full: f64) -> [(&'static str, f64); 3] {
        [("ok", self.answered), ("bad", self.troubled), ("no", self.refused)]
            .map(|(class, count)| (class, ratio(count, most) * full))
    }
}

#[expect(clippy::cast_precision_loss, reason = "lengths of bars on a screen")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// All charts of the report.
pub(super) fn charts(report: &Report) -> String {
    if report.totals.calls == 0 {
        return String::new();
    }
    let mut html = String::from("<section class=\"charts\">\n");
    html += &over_time(report);
    let client = |line: &UsageLine| line.client.clone().unwrap_or_else(|| "nobody that was verified".into());
    html += &ranking("By client", &report.usage.client, client);
    let tool = |line: &UsageLine| {
        let tool = line.tool.as_deref().unwrap_or("none");
        line.server.as_ref().map_or_else(|| tool.to_owned(), |server| format!("{server} / {tool}"))
    };
    html += &ranking("By tool", &report.usage.tool, tool);
    html + "</section>\n"
}

/// What the colours mean.
pub(super) fn legend() -> &'static str {
    "<ul class=\"legend\"><li class=\"ok\">answered well</li><li class=\"bad\">failed or cut</li><li class=\"no\">refused</li></ul>\n"
}

fn over_time(report: &Report) -> String {
    let (first, last) = drawn_days(report);
    let step = (last - first + 1).div_euclid(BARS_MOST + 1) + 1;
    let bars = bars(&report.days, first, last, step);
    let most = bars.iter().map(|(_, ends)| ends.all()).max().unwrap_or(0);
    let title = if step == 1 { "Calls a day".to_owned() } else { format!("Calls in {step} days each") };
    let mut html = format!(
        "<figure class=\"wide\">\n<figcaption>{title} <span class=\"soft\">(the highest: {})</span></figcaption>\n{}<svg class=\"time\" viewBox=\"0 0 {} 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{title}; the numbers are in the tables\">\n",
        grouped(most),
        legend(),
        bars.len() * 10
    );
    for (position, (day, ends)) in bars.iter().enumerate() {
        let _ = write!(html, "<g><title>{day}: {}</title>", ends.words());
        let mut y = 100.0;
        for (class, height) in ends.parts(most, 100.0) {
            y -= height;
            if height > 0.0 {
                let x = position * 10 + 1;
                let _ = write!(
                    html,
                    "<rect class=\"{class}\" x=\"{x}\" y=\"{y:.2}\" width=\"8\" height=\"{height:.2}\"/>"
                );
            }
        }
        html += "</g>\n";
    }
    let label = |at: usize| bars.get(at).map_or("", |(day, _)| day.as_str());
    let middle = if bars.len() > 2 { label(bars.len() / 2) } else { "" };
    let end = if bars.len() > 1 { label(bars.len() - 1) } else { "" };
    let _ = write!(
        html,
        "</svg>\n<div class=\"axis\"><span>{}</span><span>{middle}</span><span>{end}</span></div>\n</figure>\n",
        label(0)
    );
    html
}

/// From the first day to the last: the period, but where it is very long only as far as there are calls.
fn drawn_days(report: &Report) -> (i64, i64) {
    let of_period =
        (report.about.from.seconds().div_euclid(DAY), report.about.to.plus(-1).seconds().div_euclid(DAY));
    let day = |at_ms: Option<i64>, or: i64| at_ms.map_or(or, |at_ms| at_ms.div_euclid(DAY * 1000));
    let of_calls = (day(report.totals.first_ms, of_period.0), day(report.totals.last_ms, of_period.1));
    if of_period.1 - of_period.0 > 4 * BARS_MOST { of_calls } else { of_period }
}

fn bars(days: &[DayLine], first: i64, last: i64, step: i64) -> Vec<(String, Ends)> {
    let by_day: BTreeMap<&str, &Counts> = days.iter().map(|line| (line.day.as_str(), &line.counts)).collect();
    let mut bars: Vec<(String, Ends)> = Vec::new();
    for day in first..=last {
        let name = day_of(UnixTime::from_seconds(day * DAY).seconds() * 1000);
        if (day - first) % step == 0 {
            bars.push((name.clone(), Ends::default()));
        }
        if let (Some(counts), Some((_, ends))) = (by_day.get(name.as_str()), bars.last_mut()) {
            ends.add(counts);
        }
    }
    bars
}

fn ranking(title: &str, lines: &[UsageLine], name: impl Fn(&UsageLine) -> String) -> String {
    let mut rows: Vec<(String, Ends)> = Vec::new();
    let (shown, rest) = lines.split_at(lines.len().min(ROWS_MOST));
    for line in shown {
        let mut ends = Ends::default();
        ends.add(&line.counts);
        rows.push((name(line), ends));
    }
    if !rest.is_empty() {
        let mut ends = Ends::default();
        for line in rest {
            ends.add(&line.counts);
        }
        let others = if rest.len() == 1 { "other" } else { "others" };
        rows.push((format!("{} {others}", grouped(rest.len() as u64)), ends));
    }
    let most = rows.iter().map(|(_, ends)| ends.all()).max().unwrap_or(0);
    let whole: u64 = lines.iter().map(|line| line.counts.calls).sum();
    let mut html =
        format!("<figure>\n<figcaption>{title}</figcaption>\n{}<ol class=\"ranking\">\n", legend());
    for (name, ends) in &rows {
        html += &ranked(name, *ends, most, whole);
    }
    html + "</ol>\n</figure>\n"
}

fn ranked(name: &str, ends: Ends, most: u64, whole: u64) -> String {
    let mut html = format!(
        "<li><span class=\"who\">{}</span><span class=\"much\">{} <span class=\"soft\">{}</span></span>",
        outside(name),
        grouped(ends.all()),
        escape(&words::share(ends.all(), whole))
    );
    let _ = write!(
        html,
        "<svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
        ends.words()
    );
    let mut x = 0.0;
    for (class, width) in ends.parts(most, 100.0) {
        if width > 0.0 {
            let _ = write!(
                html,
                "<rect class=\"{class}\" x=\"{x:.2}\" y=\"0\" width=\"{width:.2}\" height=\"10\"/>"
            );
        }
        x += width;
    }
    html + "</svg></li>\n"
}
