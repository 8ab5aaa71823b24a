//! Draws the approval page: plain HTML without a script, in the words of a person who connects a machine.

use std::fmt::Write as _;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;

use crate::clock::Millis;
use crate::secret;

/// Where a person approves.
pub(crate) const PATH: &str = "/device";
/// Where the sign-in form goes.
pub(crate) const SIGN_IN_PATH: &str = "/device/sign-in";

const STYLE: &str = include_str!("page.css");

/// What the page shows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Page<'a> {
    /// Who are you?
    SignIn {
        /// Guards the form.
        csrf: &'a str,
        /// Carried along to the next page; text from outside.
        user_code: &'a str,
        /// What went wrong with the last try.
        notice: Option<&'a str>,
    },
    /// Which code does the machine show?
    Code {
        /// Guards the form.
        csrf: &'a str,
        /// What went wrong with the last code.
        notice: Option<&'a str>,
    },
    /// Connect this machine?
    Question {
        /// Guards the form.
        csrf: &'a str,
        /// The code as it is shown, `WDJB-MJHT`.
        user_code: &'a str,
        /// What the machine calls itself; text from outside.
        machine: &'a str,
        /// Who is signed in.
        account: &'a str,
        /// When the machine asked, see [`asked`].
        asked: &'a str,
        /// The address it asked from.
        from: &'a str,
        /// Whether the person is at the same address.
        from_here: bool,
    },
    /// Nothing more to do.
    Done {
        /// Two or three words.
        title: &'a str,
        /// What it means.
        text: &'a str,
    },
}

impl Page<'_> {
    /// The page's HTML; `nonce` allows its one style sheet.
    pub(crate) fn draw(self, nonce: &str) -> String {
        let (title, main) = match self {
            Page::SignIn { csrf, user_code, notice } => ("Sign in", sign_in(csrf, user_code, notice)),
            Page::Code { csrf, notice } => ("Connect a machine", code(csrf, notice)),
            Page::Question { .. } => ("Connect this machine?", question(self)),
            Page::Done { title, text } => (title, format!("<p>{}</p>", escape(text))),
        };
        let title = escape(title);
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title} – Porten Hub</title>\n<style nonce=\"{nonce}\">{STYLE}</style>\n</head>\n\
             <body>\n<main>\n<h1>{title}</h1>\n{main}\n</main>\n</body>\n</html>\n"
        )
    }

    /// The answer that carries it.
    pub(crate) fn answer(self, status: StatusCode) -> Response {
        let nonce = secret::hex(&rand::random::<[u8; 16]>());
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        let mut response = (status, Html(self.draw(&nonce))).into_response();
        let headers = response.headers_mut();
        // Hex digits and our own words are always a header value.
        if let Ok(policy) = HeaderValue::try_from(policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        for (name, value) in GUARDS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

const GUARDS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // The address may carry a user code.
    (header::REFERRER_POLICY, "no-referrer"),
];

fn sign_in(csrf: &str, user_code: &str, notice: Option<&str>) -> String {
    format!(
        "{}<form method=\"post\" action=\"{SIGN_IN_PATH}\">\n{}{}\
         <label>Account<input name=\"account\" required maxlength=\"64\" autocomplete=\"username\" autocapitalize=\"none\" autofocus></label>\n\
         <label>Passphrase<input name=\"passphrase\" type=\"password\" required maxlength=\"200\" autocomplete=\"current-password\"></label>\n\
         <div class=\"buttons\"><button class=\"first\">Sign in</button></div>\n</form>",
        notice_line(notice),
        hidden("csrf", csrf),
        hidden("user_code", user_code),
    )
}

fn code(csrf: &str, notice: Option<&str>) -> String {
    format!(
        "{}<form method=\"post\" action=\"{PATH}\">\n{}\
         <label>The code that the machine shows<input name=\"user_code\" required maxlength=\"20\" autocomplete=\"off\" autocapitalize=\"characters\" autofocus></label>\n\
         <div class=\"buttons\"><button class=\"first\">Go on</button></div>\n</form>",
        notice_line(notice),
        hidden("csrf", csrf),
    )
}

fn question(page: Page<'_>) -> String {
    let Page::Question { csrf, user_code, machine, account, asked, from, from_here } = page else {
        return String::new();
    };
    let here = if from_here { "the address that you are at too" } else { "not the address that you are at" };
    format!(
        "<p><b>{}</b> asks to serve models for the account <b>{}</b>.</p>\n\
         <p class=\"code\">{}</p>\n<p class=\"small\">Go on only if the machine shows this code.</p>\n\
         <p>If you connect it, prompts that are sent to this Hub with your account’s keys go to that machine: whoever \
         has it can read them, and writes the answers. It stays connected until it is signed out.</p>\n\
         <p class=\"small\">The machine asked {} from {}, {here}.</p>\n\
         <form method=\"post\" action=\"{PATH}\">\n{}{}\
         <div class=\"buttons\"><button name=\"answer\" value=\"refuse\">Don’t connect</button>\
         <button class=\"first\" name=\"answer\" value=\"connect\">Connect</button></div>\n</form>",
        escape(machine),
        escape(account),
        escape(user_code),
        escape(asked),
        escape(from),
        hidden("csrf", csrf),
        hidden("user_code", user_code),
    )
}

/// When a machine asked, for a person: `2 minutes ago (19:24 UTC)`.
pub(crate) fn asked(at: Millis, now: Millis) -> String {
    let ago = match now.saturating_sub(at) / 60_000 {
        ..=0 => "just now".to_owned(),
        1 => "1 minute ago".to_owned(),
        minutes => format!("{minutes} minutes ago"),
    };
    format!("{ago} ({} UTC)", Timestamp::from_millisecond(at).unwrap_or_default().strftime("%H:%M"))
}

fn notice_line(notice: Option<&str>) -> String {
    notice.map_or_else(String::new, |text| format!("<p class=\"notice\" role=\"alert\">{}</p>\n", escape(text)))
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escape(value))
}

/// Text from outside, as text.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        match c {
            '&' | '<' | '>' | '"' | '\'' => {
                // Writing to a String cannot fail.
                let _ = write!(safe, "&#{};", u32::from(c));
            }
            _ => safe.push(c),
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault E9: the page that asks names the machine, as text whatever it holds.
    #[test]
    fn a_machines_name_is_text_and_never_markup() {
        let page = Page::Question {
            csrf: "t",
            user_code: "WDJB-MJHT",
            machine: "\"><script>alert(1)</script>",
            account: "a&b",
            asked: &asked(1_700_000_000_000, 1_700_000_130_000),
            from: "192.0.2.7",
            from_here: false,
        };
        let html = page.draw("n");
        assert!(html.contains("asked 2 minutes ago (22:13 UTC) from 192.0.2.7, not the address"), "{html}");
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("&#60;script&#62;") && html.contains("a&#38;b"));
        let html = Page::SignIn { csrf: "t", user_code: "'\"<img>", notice: None }.draw("n");
        assert!(html.contains("value=\"&#39;&#34;&#60;img&#62;\""), "{html}");
    }

    #[test]
    fn a_clock_set_back_does_not_confuse_when_it_was() {
        assert_eq!(asked(60_000, 0), "just now (00:01 UTC)");
        assert_eq!(asked(0, 61_000), "1 minute ago (00:00 UTC)");
    }

    /// Fault E9: the page loads nothing and may not be framed.
    #[test]
    fn the_page_may_load_nothing_and_be_framed_by_nobody() {
        let answer = Page::Code { csrf: "t", notice: None }.answer(StatusCode::OK);
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'nonce-"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    }
}
