//! The name of a machine as a person reads it on another one: the agent sends it and the Hub keeps it, and both make it
//! readable in this one way. No name is a reason to refuse a sign-in.

use icu_properties::props::GeneralCategory;

use crate::display_text::{category, is_mark, is_visible, sanitize};

/// The longest name (characters).
pub const MAX_CHARS: usize = 64;

/// Stands for a character that a name cannot have.
const REPLACEMENT: char = '-';
/// What a machine without a readable name is called.
const UNNAMED: &str = "unnamed";
/// The characters besides letters, marks, digits and spaces: what people put into the names of computers.
const PUNCTUATION: &str = "-_.,:'’&+#@()/";

/// The readable form of a machine's name: letters, digits, spaces and a little punctuation, 64 characters at most.
/// What is invisible is left out, everything else becomes `-`; `unnamed` if no letter or digit is left.
#[must_use]
pub fn sanitize_machine_name(name: &str) -> String {
    let line = sanitize(name, MAX_CHARS);
    let plain: String = line.chars().map(|c| if is_allowed(c) { c } else { REPLACEMENT }).collect();
    if plain.chars().any(char::is_alphanumeric) { plain } else { UNNAMED.to_owned() }
}

fn is_allowed(c: char) -> bool {
    c == ' ' || PUNCTUATION.contains(c) || c == '…' || (is_visible(c) && (is_letter_or_digit(c) || is_mark(c)))
}

fn is_letter_or_digit(c: char) -> bool {
    use GeneralCategory::{
        DecimalNumber, LetterNumber, LowercaseLetter, ModifierLetter, OtherLetter, TitlecaseLetter, UppercaseLetter,
    };
    matches!(
        category(c),
        LowercaseLetter
            | UppercaseLetter
            | TitlecaseLetter
            | ModifierLetter
            | OtherLetter
            | DecimalNumber
            | LetterNumber
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_names_that_people_give_stay() {
        for name in ["studio-1", "Anna’s Mac Studio", "工作室", "MacBook Pro (2)", "Đặng’s Mac", "mac.local"]
        {
            assert_eq!(sanitize_machine_name(name), name);
        }
    }

    #[test]
    fn what_could_deceive_a_person_is_replaced() {
        for (name, shown) in [
            ("a\nb", "a b"),
            ("abc\u{202e}def", "abcdef"),
            ("<b>bold</b>", "-b-bold-/b-"),
            ("Anna \"root\"", "Anna -root-"),
            ("\u{3164}", "unnamed"),
            ("", "unnamed"),
            ("🖥", "unnamed"),
            ("💻 desk", "- desk"),
        ] {
            assert_eq!(sanitize_machine_name(name), shown, "{name:?}");
        }
        assert_eq!(sanitize_machine_name(&"x".repeat(65)).chars().count(), 64);
    }

    proptest! {
        #[test]
        fn a_sanitized_name_is_kept_by_the_other_end(name in any::<String>()) {
            let once = sanitize_machine_name(&name);
            prop_assert!((1..=MAX_CHARS).contains(&once.chars().count()));
            prop_assert_eq!(sanitize_machine_name(&once), once);
        }
    }
}
