//! Whether a licence expression can be met by licences from a list.
//! Reads the SPDX forms that crates use, `MIT/Apache-2.0` of older ones included; knows no licence.

/// An expression that cannot be read is not met.
pub(crate) fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed };
    reader.either() == Some(true) && reader.words.is_empty()
}

struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl Reader<'_> {
    fn either(&mut self) -> Option<bool> {
        let mut met = self.all()?;
        while self.take("OR") {
            // Read to its end even when it no longer matters.
            met |= self.all()?;
        }
        Some(met)
    }

    fn all(&mut self) -> Option<bool> {
        let mut met = self.one()?;
        while self.take("AND") {
            met &= self.one()?;
        }
        Some(met)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let met = self.either()?;
            return self.take(")").then_some(met);
        }
        let mut licence = self.name()?;
        if self.take("WITH") {
            licence = format!("{licence} WITH {}", self.name()?);
        }
        Some(self.allowed.contains(&licence))
    }

    fn name(&mut self) -> Option<String> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        let is_name = !["(", ")", "OR", "AND", "WITH"].contains(first);
        is_name.then(|| (*first).to_owned())
    }

    fn take(&mut self, word: &str) -> bool {
        let Some((_, rest)) = self.words.split_first().filter(|(first, _)| **first == word) else {
            return false;
        };
        self.words = rest;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::is_met;

    fn check(expression: &str, expected: bool) {
        let allowed = ["MIT", "ISC", "Unicode-3.0"].map(str::to_owned);
        assert_eq!(is_met(expression, &allowed), expected, "{expression}");
    }

    #[test]
    fn a_choice_needs_one_and_a_sum_needs_all() {
        check("MIT", true);
        check("GPL-3.0", false);
        check("MIT OR GPL-3.0", true);
        check("GPL-3.0/MIT", true);
        check("MIT AND GPL-3.0", false);
        check("(MIT OR GPL-3.0) AND Unicode-3.0", true);
        check("ISC AND (GPL-3.0 OR Zlib)", false);
        check("MIT OR ISC AND GPL-3.0", true);
    }

    #[test]
    fn an_exception_is_a_licence_of_its_own() {
        check("MIT WITH some-exception", false);
        check("MIT WITH some-exception OR MIT", true);
    }

    #[test]
    fn what_cannot_be_read_is_not_met() {
        for expression in ["", "MIT OR", "(MIT", "MIT)", "MIT ISC", "AND", "MIT WITH"] {
            check(expression, false);
        }
    }
}
