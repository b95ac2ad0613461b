//! What is wrong with rules or fields, and where.

use std::fmt;

/// One thing to mend. Problems come all at once, never one for each attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line and column in the rules file, from 1; columns count characters.
    pub at: Option<(usize, usize)>,
    /// What it is about: `rule.promoter.when`, `source.generic.fields.nps_score`.
    pub path: String,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.at {
            write!(f, "{line}:{column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// The line and column, from 1, of a byte of `text`.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let in_line = before.rsplit('\n').next().unwrap_or(before);
    (line, in_line.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let text = "ab\ncé d";
        for (offset, expected) in [(0, (1, 1)), (2, (1, 3)), (3, (2, 1)), (6, (2, 3))] {
            assert_eq!(position(text, offset), expected, "{offset}");
        }
    }
}
