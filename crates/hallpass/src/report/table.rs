//! A table of the report as data: its columns and what stands in each cell. Knows no markup and no report.

use hallpass_core::report::grouped;

/// What stands in a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// Nothing.
    Nothing,
    /// Words of ours.
    Words(String),
    /// A name or a handle.
    Name(String),
    /// What somebody wrote or a caller said of itself.
    Outside(String),
    /// A number.
    Number(u64),
    /// Microseconds.
    Micros(u64),
    /// Sizes.
    Bytes(u64),
    /// Milliseconds since the epoch.
    Moment(i64),
    /// One below the other, the first is what counts.
    Both(Box<Cell>, Box<Cell>),
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) number: bool,
}

/// A table with its heading.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) title: &'static str,
    /// What has to be known to read it.
    pub(super) note: String,
    /// What is said instead where there is no row.
    pub(super) empty: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// What a person reads of a table; a program gets all of it.
const ROWS_MOST: usize = 500;

impl Table {
    /// The rows that a person is shown.
    pub(super) fn shown(&self) -> &[Vec<Cell>] {
        &self.rows[..self.rows.len().min(ROWS_MOST)]
    }

    /// What is said of the rest.
    pub(super) fn left_out(&self) -> Option<String> {
        let rest = self.rows.len().checked_sub(ROWS_MOST).filter(|rest| *rest > 0)?;
        Some(format!("And {} more rows: all of them are in `--format json`.", grouped(rest as u64)))
    }
}
