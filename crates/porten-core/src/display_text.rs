//! Makes text that came from elsewhere (a Hub, an engine, an exo node) fit to be shown to a person: what it says, and
//! nothing that a terminal, a log or a screen would obey instead of showing it.
//!
//! Apply [`sanitize`] where such text enters the process, with the limit of that field. [`terminal_safe`] is the last
//! filter of what prints to a terminal, for whatever entered elsewhere. In a log write `?text`, which quotes it.

use std::borrow::Cow;

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Marks kept on one letter. Vietnamese and Hebrew need two, Thai and pointed Hebrew with accents up to four; more only
/// grows over the lines above and below.
const MAX_MARKS: usize = 4;

/// Characters that draw nothing although Unicode calls them neither ignorable nor a space: the blank Braille pattern
/// and the null note head.
const BLANK: [char; 2] = ['\u{2800}', '\u{1d159}'];

/// They say how the character before them is drawn: 🖥️ has one.
const VARIATION_SELECTORS: std::ops::RangeInclusive<char> = '\u{fe00}'..='\u{fe0f}';

/// Ends a text that was longer than its limit.
const ELLIPSIS: char = '…';

/// Whether a character draws something of its own: not a space, a control, a format or direction character, a filler,
/// a private or unassigned code point.
#[must_use]
pub fn is_visible(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_graphic();
    }
    !is_space(c) && is_shown(c)
}

/// Whether a character could make a name look like another one, or turn or break the text around it: controls, format
/// and direction characters, line separators and fillers. What names something is refused for one of these instead of
/// being shown without it. Selectors of an emoji's form are none.
#[must_use]
pub fn is_disguise(c: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let ignorable = || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c);
    matches!(category(c), Control | Format | LineSeparator | ParagraphSeparator)
        || BLANK.contains(&c)
        || (!VARIATION_SELECTORS.contains(&c) && ignorable())
}

/// One line of at most `max_chars` characters without anything invisible: line breaks, tabs and other spaces become
/// one plain space each (a row of them one), other characters that draw nothing are left out, more than four marks on
/// a letter too. A longer text ends in `…`. The result is empty if nothing is left to see.
///
/// It looks at four times `max_chars` characters at most, so a long text costs no more than a short one.
#[must_use]
pub fn sanitize(text: &str, max_chars: usize) -> String {
    let mut line = String::with_capacity(text.len().min(4 * max_chars));
    let (mut length, mut marks, mut space) = (0, 0, false);
    let mut seen = text.chars();
    for c in seen.by_ref().take(max_chars.saturating_mul(4)) {
        if is_break(c) || is_space(c) {
            space = length > 0;
            continue;
        }
        if !is_shown(c) {
            continue;
        }
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if marks > MAX_MARKS {
            continue;
        }
        let wanted = 1 + usize::from(space);
        if length + wanted > max_chars {
            return shortened(line, max_chars);
        }
        if std::mem::take(&mut space) {
            line.push(' ');
        }
        line.push(c);
        length += wanted;
    }
    if seen.next().is_some() { shortened(line, max_chars) } else { line }
}

/// The same text without what a terminal obeys: line feeds and tabs stay, everything else that is not shown is left out.
#[must_use]
pub fn terminal_safe(text: &str) -> Cow<'_, str> {
    let keeps = |c: char| matches!(c, '\n' | '\t') || is_space(c) || is_shown(c);
    if text.bytes().all(|byte| matches!(byte, b'\n' | b'\t' | b' '..=b'~')) || text.chars().all(keeps) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|&c| keeps(c)).collect())
}

fn shortened(mut line: String, max_chars: usize) -> String {
    while line.chars().count() >= max_chars.max(1) {
        line.pop();
    }
    if max_chars > 0 {
        line.push(ELLIPSIS);
    }
    line
}

/// What ends a line or moves the cursor along it, in any encoding of old.
const fn is_break(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_space(c: char) -> bool {
    c == ' ' || (!c.is_ascii() && category(c) == GeneralCategory::SpaceSeparator)
}

pub(crate) fn is_mark(c: char) -> bool {
    use GeneralCategory::{EnclosingMark, NonspacingMark, SpacingMark};
    !c.is_ascii() && matches!(category(c), EnclosingMark | NonspacingMark | SpacingMark)
}

/// Neither a space nor invisible.
fn is_shown(c: char) -> bool {
    use GeneralCategory::{
        Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, SpaceSeparator, Surrogate, Unassigned,
    };
    if c.is_ascii() {
        return c.is_ascii_graphic();
    }
    let hidden = matches!(
        category(c),
        Control | Format | LineSeparator | ParagraphSeparator | PrivateUse | SpaceSeparator | Surrogate | Unassigned
    );
    !hidden && !BLANK.contains(&c) && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

pub(crate) fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["studio-1", "Anna’s Mac Studio", "工作室", "Đặng Thị Hải", "שָׁלוֹם", "สวัสดี", "🖥 desk", "a < b & c"]
        {
            assert_eq!(sanitize(text, 64), text);
            assert_eq!(terminal_safe(text), text);
            assert!(!text.contains(is_disguise), "{text}");
        }
        assert!(!"/Users/anna/🖥\u{fe0f} models".contains(is_disguise));
    }

    #[test]
    fn escapes_and_line_breaks_lose_their_power() {
        let evil = "evil\u{1b}[2J\u{1b}]0;pwned\u{7}\r\n2026-11-30T00:00:00Z  INFO\u{9b}31m\u{202e}gnp.exe";
        assert_eq!(sanitize(evil, 100), "evil[2J]0;pwned 2026-11-30T00:00:00Z INFO31mgnp.exe");
        assert_eq!(terminal_safe("a\u{1b}[31m\tb\r\nc\u{202e}"), "a[31m\tb\nc");
    }

    #[test]
    fn what_cannot_be_seen_is_left_out() {
        let invisible = [
            '\u{3164}',
            '\u{2800}',
            '\u{e0041}',
            '\u{34f}',
            '\u{115f}',
            '\u{fff9}',
            '\u{180e}',
            '\u{202f}',
            '\u{200b}',
            '\u{feff}',
            '\u{ad}',
            '\u{61c}',
            '\u{2066}',
            '\u{2028}',
            '\u{e000}',
            '\u{378}',
            '\u{0}',
            '\u{7f}',
            '\u{9b}',
        ];
        for c in invisible {
            assert!(!is_visible(c), "{c:?}");
            let harmless = matches!(c, '\u{202f}' | '\u{e000}' | '\u{378}');
            assert_eq!(is_disguise(c), !harmless, "{c:?}");
            assert_eq!(sanitize(&c.to_string(), 10), "", "{c:?}");
        }
        assert_eq!(sanitize(&format!("e{}x", "\u{301}".repeat(60)), 64), format!("e{}x", "\u{301}".repeat(4)));
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(sanitize("abcdef", 6), "abcdef");
        assert_eq!(sanitize("abcdefg", 6), "abcde…");
        assert_eq!(sanitize("abcde  \u{1b}  ", 5), "abcde");
        assert_eq!(sanitize(&"\u{1b}".repeat(1_000_000), 5), "…");
        assert_eq!((sanitize("ab", 1), sanitize("ab", 0)), ("…".into(), String::new()));
    }

    proptest! {
        #[test]
        fn the_result_is_one_short_visible_line(text in any::<String>(), max in 0usize..40) {
            let line = sanitize(&text, max);
            prop_assert!(line.chars().count() <= max);
            prop_assert!(line.chars().all(|c| c == ' ' || is_visible(c)));
            prop_assert!(!line.starts_with(' ') && !line.contains("  "));
            prop_assert_eq!(sanitize(&line, max), line);
        }

        #[test]
        fn a_terminal_gets_no_control_but_line_feed_and_tab(text in any::<String>()) {
            let safe = terminal_safe(&text);
            prop_assert!(safe.chars().all(|c| matches!(c, '\n' | '\t' | ' ') || !c.is_control()));
            prop_assert_eq!(terminal_safe(&safe), safe.clone());
        }
    }
}
