//! Warnings about a file, collected while it is read: each once, with a count, and few in number whatever the file
//! says.

use crate::model::{Warned, Warning};

/// Most distinct warnings of a file; further ones of the same kind are counted without the text that was found.
const DISTINCT_MAX: usize = 32;

/// Warnings of a file.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    /// Includes warnings already taken, with a count of zero, so that the number of distinct ones is bounded over the
    /// whole file.
    all: Vec<Warned>,
}

impl Warnings {
    /// Counts a warning for a line.
    pub(super) fn add(&mut self, warning: Warning, line: u64, found: &str) {
        self.count(Warned::new(warning, line, found));
    }

    fn count(&mut self, new: Warned) {
        let is_same = |known: &Warned| known.warning == new.warning && known.found == new.found;
        match self.all.iter().position(is_same) {
            Some(at) => {
                let known = &mut self.all[at];
                if known.lines == 0 {
                    known.line = new.line;
                }
                known.lines += 1;
            }
            None if self.all.len() < DISTINCT_MAX || new.found.is_empty() => self.all.push(new),
            None => self.count(Warned { found: String::new(), ..new }),
        }
    }

    /// Takes the counts since the last call.
    pub(super) fn take(&mut self) -> Vec<Warned> {
        let new = self.all.iter().filter(|warned| warned.lines > 0).cloned().collect();
        self.all.iter_mut().for_each(|warned| warned.lines = 0);
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_odd_names_are_a_few_warnings() {
        let mut warnings = Warnings::default();
        for n in 0..1_000_000 {
            warnings.add(Warning::ColumnIgnored, n + 1, &format!("column {}", n % 5_000));
        }
        let taken = warnings.take();
        assert!(taken.len() <= DISTINCT_MAX + 1);
        assert_eq!(taken.iter().map(|warned| warned.lines).sum::<u64>(), 1_000_000);
        assert!(warnings.take().is_empty());
    }
}
