//! Draws the approval page: plain HTML without a script, in the words of a person who connects a machine.

use std::fmt::Write as _;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

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
            Page::Code { notice } => ("Connect a machine", code(notice)),
            Page::Question { csrf, user_code, machine, account } => {
                ("Connect this machine?", question(csrf, user_code, machine, account))
            }
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

fn code(notice: Option<&str>) -> String {
    format!(
        "{}<form method=\"get\" action=\"{PATH}\">\n\
         <label>The code that the machine shows<input name=\"user_code\" required maxlength=\"20\" autocomplete=\"off\" autocapitalize=\"characters\" autofocus></label>\n\
         <div class=\"buttons\"><button class=\"first\">Go on</button></div>\n</form>",
        notice_line(notice),
    )
}

fn question(csrf: &str, user_code: &str, machine: &str, account: &str) -> String {
    format!(
        "<p><b>{}</b> asks to serve models for the account <b>{}</b>.</p>\n\
         <p class=\"code\">{}</p>\n<p class=\"small\">Go on only if the machine shows this code.</p>\n\
         <form method=\"post\" action=\"{PATH}\">\n{}{}\
         <div class=\"buttons\"><button name=\"answer\" value=\"refuse\">Don’t connect</button>\
         <button class=\"first\" name=\"answer\" value=\"connect\">Connect</button></div>\n</form>",
        escape(machine),
        escape(account),
        escape(user_code),
        hidden("csrf", csrf),
        hidden("user_code", user_code),
    )
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
        };
        let html = page.draw("n");
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("&#60;script&#62;") && html.contains("a&#38;b"));
        let html = Page::SignIn { csrf: "t", user_code: "'\"<img>", notice: None }.draw("n");
        assert!(html.contains("value=\"&#39;&#34;&#60;img&#62;\""), "{html}");
    }

    /// Fault E9: the page loads nothing and may not be framed.
    #[test]
    fn the_page_may_load_nothing_and_be_framed_by_nobody() {
        let answer = Page::Code { notice: None }.answer(StatusCode::OK);
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'nonce-"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    }
}
