//! Lines of one screen, on which no sentence stands twice.

/// What is on the screen so far.
#[derive(Default)]
pub(super) struct Screen {
    lines: Vec<String>,
    /// All of it in small letters.
    said: String,
}

impl Screen {
    /// Adds a line.
    pub(super) fn line(&mut self, line: String) {
        self.said += &line.to_lowercase();
        self.said.push('\n');
        self.lines.push(line);
    }

    /// Adds a line with a name at its start, the same width for all.
    pub(super) fn fact(&mut self, name: &str, value: &str) {
        self.line(format!("  {name:<9} {value}"));
    }

    /// Whether this stands nowhere yet.
    pub(super) fn is_new(&self, text: &str) -> bool {
        let text = text.trim().trim_end_matches('.').to_lowercase();
        !text.is_empty() && !self.said.contains(&text)
    }

    /// The text, if it stands nowhere yet.
    pub(super) fn unsaid(&self, text: String) -> Option<String> {
        self.is_new(&text).then_some(text)
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines
    }
}
