//! What came out: each disagreement, counts per group, the total. Runs nothing.

use crate::file::Case;
use std::collections::BTreeMap;

/// What came out of one case.
pub(crate) enum Result {
    AsExpected,
    Not(Vec<String>),
    Skipped(&'static str),
}

impl Result {
    pub(crate) fn from_findings(findings: Vec<String>) -> Self {
        if findings.is_empty() { Self::AsExpected } else { Self::Not(findings) }
    }
}

#[derive(Clone, Copy, Default)]
struct Count {
    as_expected: usize,
    not: usize,
    skipped: usize,
}

impl Count {
    fn all(self) -> usize {
        self.as_expected + self.not + self.skipped
    }
}

#[derive(Default)]
pub(crate) struct Report {
    groups: BTreeMap<String, Count>,
    skipped: BTreeMap<&'static str, Vec<String>>,
    faults: usize,
}

/// Something to know that is not wrong.
pub(crate) fn note(note: impl AsRef<str>) {
    println!("note: {}", note.as_ref());
}

impl Report {
    /// Something that belongs to no case, and is wrong.
    pub(crate) fn fault(&mut self, what: impl AsRef<str>) {
        println!("NOT AS EXPECTED: {}", what.as_ref());
        self.faults += 1;
    }

    pub(crate) fn add(&mut self, case: &Case, result: Result) {
        let count = self.groups.entry(case.group.clone()).or_default();
        match result {
            Result::AsExpected => count.as_expected += 1,
            Result::Skipped(why) => {
                count.skipped += 1;
                self.skipped.entry(why).or_default().push(case.id.clone());
            }
            Result::Not(findings) => {
                count.not += 1;
                for finding in findings {
                    println!("{} ({}): {finding}", case.id, case.group);
                }
            }
        }
    }

    /// Counts and total, the total last. Whether everything is as expected.
    pub(crate) fn end(&self) -> bool {
        for (why, ids) in &self.skipped {
            println!("skipped, for {why}: {}", ids.join(" "));
        }
        println!("{:<12} {:>5} {:>12} {:>5} {:>8}", "group", "cases", "as expected", "not", "skipped");
        let mut total = Count { not: self.faults, ..Count::default() };
        for (group, count) in &self.groups {
            println!(
                "{group:<12} {:>5} {:>12} {:>5} {:>8}",
                count.all(),
                count.as_expected,
                count.not,
                count.skipped
            );
            total.as_expected += count.as_expected;
            total.not += count.not;
            total.skipped += count.skipped;
        }
        let cases = total.all() - self.faults;
        println!(
            "{cases} cases: {} as expected, {} not, {} skipped",
            total.as_expected, total.not, total.skipped
        );
        total.not == 0
    }
}
