//! Lines for people: pieces of text, each with a style that only a terminal shows.

use super::clean::clean;

/// How a piece of text looks on a terminal; never the only sign of anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    #[default]
    Plain,
    /// Names and headings.
    Bold,
    /// What matters less.
    Dim,
    /// Succeeded.
    Good,
    /// Cached.
    Cached,
    /// Running.
    Busy,
    /// Failed.
    Bad,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "34",
            Self::Cached => "36",
            Self::Busy => "33",
            Self::Bad => "31",
        }
    }
}

/// One line, without its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<(Style, String)>);

impl Line {
    /// A line of plain text.
    pub fn new(text: impl Into<String>) -> Self {
        Self::default().and(Style::Plain, text)
    }

    /// Adds a piece.
    #[must_use]
    pub fn and(mut self, style: Style, text: impl Into<String>) -> Self {
        self.0.push((style, text.into()));
        self
    }

    /// The text alone.
    pub fn plain(&self) -> String {
        self.0.iter().map(|(_, text)| clean(text)).collect()
    }

    /// Number of characters.
    pub fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// The text with codes for colours.
    pub fn coloured(&self) -> String {
        let piece = |(style, text): &(Style, String)| match style.code() {
            "" => clean(text).into_owned(),
            code => format!("\x1b[{code}m{}\x1b[0m", clean(text)),
        };
        self.0.iter().map(piece).collect()
    }

    /// At most this many characters; what is cut shows as `…`.
    #[must_use]
    pub fn cut(&self, width: usize) -> Self {
        if self.width() <= width {
            return self.clone();
        }
        let mut room = width.saturating_sub(1);
        let mut short = Self::default();
        for (style, text) in &self.0 {
            let piece: String = text.chars().take(room).collect();
            room -= piece.chars().count();
            short = short.and(*style, piece);
        }
        short.and(Style::Plain, "…")
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_with_its_styles() {
        let line = Line::new("ab").and(Style::Bad, "c\x1bd");
        assert_eq!(line.plain(), "abc\u{fffd}d");
        assert_eq!(line.cut(4).coloured(), "ab\x1b[31mc\x1b[0m…");
        assert_eq!(line.cut(5), line);
    }
}
