//! The pieces that pages are made of.

use super::frame::When;

/// How a text is meant: shown by a sign and a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// All is well.
    Good,
    /// Somebody should look.
    Warn,
    /// Something is wrong.
    Bad,
}

impl Tone {
    /// The class of the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    /// A sign, so that colour is not all.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "✓",
            Self::Warn => "!",
            Self::Bad => "✕",
        }
    }
}

/// A text with its tone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Line {
    /// How it is meant.
    pub tone: Tone,
    /// What it says.
    pub text: String,
}

impl Line {
    /// A text with a tone.
    pub(super) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into() }
    }

    /// A text.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// A name and what there is to say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    /// What it is about.
    pub name: String,
    /// One or several texts.
    pub lines: Vec<Line>,
}

impl Fact {
    /// A fact of one line.
    pub(super) fn new(name: String, line: Line) -> Self {
        Self { name, lines: vec![line] }
    }
}

/// Something to do: what the matter is, and the commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// What the matter is; empty where the commands speak for themselves.
    pub what: String,
    /// Commands, in their order.
    pub commands: Vec<String>,
}

/// A table: a caption, headings, and rows of as many cells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Table {
    /// What it shows.
    pub caption: String,
    /// The headings of its columns.
    pub heads: Vec<String>,
    /// Its rows; the first cell of each is its heading.
    pub rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Cell {
    /// What it says.
    pub text: String,
    /// Where it leads; empty: nowhere.
    pub href: String,
    /// More about it, on lines of their own.
    pub notes: Vec<Line>,
    /// Whether it is a number.
    pub is_number: bool,
    /// How it is meant.
    pub tone: Tone,
}

impl Cell {
    /// A text.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A number as it is shown.
    pub(super) fn number(text: impl Into<String>) -> Self {
        Self { is_number: true, ..Self::text(text) }
    }

    /// A moment, if there is one.
    pub(super) fn when(when: Option<When>) -> Self {
        Self::text(when.map_or_else(|| "–".to_owned(), |when| when.text))
    }

    /// A text that leads somewhere.
    pub(super) fn link(text: impl Into<String>, href: String) -> Self {
        Self { href, ..Self::text(text) }
    }

    /// The heading that belongs to it on a narrow screen, where headings do not stand above.
    pub(super) fn class(&self) -> &'static str {
        if self.is_number { "number" } else { "" }
    }
}

/// A chart with its description, its legend and the same numbers as a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Chart {
    /// A word that is only its own, for references to its title.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What can be seen.
    pub description: String,
    /// Its lines.
    pub paths: Vec<Path>,
    /// Its boxes.
    pub bars: Vec<super::chart::Bar>,
    /// Width and height of its plane.
    pub size: (i64, i64),
    /// What stands below its left and its right side.
    pub ends: (String, String),
    /// What each of its lines means.
    pub legend: Vec<(&'static str, String)>,
    /// The same numbers.
    pub table: Table,
    /// What opens the table.
    pub open: String,
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Path {
    /// The class of the style sheet.
    pub class: &'static str,
    /// Its commands.
    pub d: String,
}
