//! Serves the approval page: a person signs in, sees which machine asks, and says yes or no.

use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use porten_core::secret::Secret;
use serde::Deserialize;

use crate::clock;
use crate::hub::Hub;
use crate::page::{self, Page};
use crate::passphrase::PassphraseError;
use crate::secret::{self, Kind};
use crate::visits::Visitor;

/// The longest account name that is looked at (bytes).
const MAX_ACCOUNT: usize = 64;

const WRONG: &str = "That account and passphrase do not belong together.";
const TOO_OFTEN: &str = "Too many mistakes. Try again in ten minutes.";
const CROWD: &str = "Many people sign in just now. Try again in a moment.";
const STALE: &str = "This page is no longer good. Open it again, and allow cookies for this Hub.";
const NO_CODE: &str = "No machine waits with this code. Codes last ten minutes and work once.";

#[derive(Deserialize)]
pub(crate) struct Prefill {
    #[serde(default)]
    user_code: String,
}

#[derive(Deserialize)]
pub(crate) struct SignIn {
    csrf: String,
    account: String,
    passphrase: String,
    #[serde(default)]
    user_code: String,
}

#[derive(Deserialize)]
pub(crate) struct Decision {
    csrf: String,
    user_code: String,
    answer: String,
}

/// `GET /device`: asks for whatever is still missing. A code in the address only fills a field: nothing is decided here.
pub(crate) async fn show(
    State(hub): State<Arc<Hub>>,
    headers: HeaderMap,
    prefill: Result<Query<Prefill>, QueryRejection>,
) -> Result<Response, Response> {
    let typed = prefill.map(|Query(prefill)| prefill.user_code).unwrap_or_default();
    let cookie = hub.cookie(&headers);
    let Some((visitor, cookie)) = visitor(&hub, cookie) else { return Ok(sign_in(&hub, cookie, &typed, None)) };
    if typed.is_empty() {
        return Ok(Page::Code { notice: None }.answer(StatusCode::OK));
    }
    let (code, machine) = match find(&hub, &visitor, &typed).await {
        Ok(found) => found,
        Err(Miss::Unknown) => return Ok(Page::Code { notice: Some(NO_CODE) }.answer(StatusCode::NOT_FOUND)),
        Err(Miss::TooOften) => {
            return Ok(Page::Code { notice: Some(TOO_OFTEN) }.answer(StatusCode::TOO_MANY_REQUESTS));
        }
        Err(Miss::Broken) => return Err(broken()),
    };
    let page = Page::Question {
        csrf: &hub.visits.csrf(cookie),
        user_code: &secret::show_user_code(&code),
        machine: &machine,
        account: &visitor.name,
    };
    Ok(page.answer(StatusCode::OK))
}

/// `POST /device/sign-in`
pub(crate) async fn begin_visit(
    State(hub): State<Arc<Hub>>,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Result<Response, Response> {
    let now = clock::now();
    let cookie = hub.cookie(&headers);
    if !cookie.is_some_and(|cookie| hub.visits.is_own_form(cookie, &form.csrf)) {
        return Ok(sign_in(&hub, cookie, &form.user_code, Some((STALE, StatusCode::FORBIDDEN))));
    }
    let again = |text, status| sign_in(&hub, cookie, &form.user_code, Some((text, status)));
    if form.account.len() > MAX_ACCOUNT {
        return Ok(again(WRONG, StatusCode::FORBIDDEN));
    }
    if !hub.visits.may_try_passphrase(&form.account, now) {
        return Ok(again(TOO_OFTEN, StatusCode::TOO_MANY_REQUESTS));
    }
    let account = hub.store.account(&form.account).await.map_err(|error| note(&hub, &error))?;
    let stored = account.as_ref().map(|account| account.passphrase.clone());
    let right = match hub.passphrases.check(stored, form.passphrase).await {
        Ok(right) => right,
        Err(PassphraseError::Busy) => {
            return Ok(again(CROWD, StatusCode::SERVICE_UNAVAILABLE));
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a passphrase could not be checked");
            return Err(broken());
        }
    };
    hub.visits.tried_passphrase(&form.account, right, now);
    let Some(account) = account.filter(|_| right) else { return Ok(again(WRONG, StatusCode::FORBIDDEN)) };
    let Some(visit) = hub.visits.begin(Visitor { account: account.id, name: account.name }, now) else {
        return Ok(again(CROWD, StatusCode::SERVICE_UNAVAILABLE));
    };
    // Back to the question by an address of our own: only what reads as a code goes into it.
    let next = secret::read_user_code(&form.user_code).map_or_else(
        || page::PATH.to_owned(),
        |code| format!("{}?user_code={}", page::PATH, secret::show_user_code(&code)),
    );
    Ok(with_cookie(&hub, visit.expose(), Redirect::to(&next).into_response()))
}

/// `POST /device`: the person's answer.
pub(crate) async fn decide(
    State(hub): State<Arc<Hub>>,
    headers: HeaderMap,
    Form(form): Form<Decision>,
) -> Result<Response, Response> {
    let cookie = hub.cookie(&headers);
    let Some((visitor, _)) = visitor(&hub, cookie).filter(|(_, cookie)| hub.visits.is_own_form(cookie, &form.csrf))
    else {
        return Ok(sign_in(&hub, cookie, &form.user_code, Some((STALE, StatusCode::FORBIDDEN))));
    };
    let connect = match form.answer.as_str() {
        "connect" => true,
        "refuse" => false,
        _ => return Ok(Page::Code { notice: None }.answer(StatusCode::BAD_REQUEST)),
    };
    let (code, machine) = match find(&hub, &visitor, &form.user_code).await {
        Ok(found) => found,
        Err(Miss::TooOften) => {
            return Ok(Page::Code { notice: Some(TOO_OFTEN) }.answer(StatusCode::TOO_MANY_REQUESTS));
        }
        Err(Miss::Unknown) => return Ok(Page::Code { notice: Some(NO_CODE) }.answer(StatusCode::NOT_FOUND)),
        Err(Miss::Broken) => return Err(broken()),
    };
    let stored = hub.store.answer_device(&code, visitor.account, connect, clock::now()).await;
    if !stored.map_err(|error| note(&hub, &error))? {
        return Ok(Page::Code { notice: Some(NO_CODE) }.answer(StatusCode::NOT_FOUND));
    }
    let (title, text) = if connect {
        ("Connected", format!("{machine} is connecting. You can close this page."))
    } else {
        ("Not connected", format!("{machine} was told no. You can close this page."))
    };
    Ok(Page::Done { title, text: &text }.answer(StatusCode::OK))
}

/// Why a typed code finds nobody.
enum Miss {
    Unknown,
    TooOften,
    Broken,
}

/// The code in its stored form and the name of the machine that waits with it. Wrong codes are counted.
async fn find(hub: &Hub, visitor: &Visitor, typed: &str) -> Result<(String, String), Miss> {
    let now = clock::now();
    if !hub.visits.may_try_code(visitor.account, now) {
        return Err(Miss::TooOften);
    }
    let asked = match secret::read_user_code(typed) {
        None => None,
        Some(code) => {
            let asked = hub.store.asked(&code, now).await.map_err(|error| {
                hub.broken(&error);
                Miss::Broken
            })?;
            asked.map(|asked| (code, asked.name))
        }
    };
    asked.ok_or_else(|| {
        hub.visits.tried_wrong_code(visitor.account, now);
        Miss::Unknown
    })
}

fn visitor<'a>(hub: &Hub, cookie: Option<&'a str>) -> Option<(Visitor, &'a str)> {
    let cookie = cookie?;
    Some((hub.visits.visitor(cookie, clock::now())?, cookie))
}

/// The sign-in form; its cookie guards the form and is no sign-in.
fn sign_in(hub: &Hub, cookie: Option<&str>, user_code: &str, trouble: Option<(&str, StatusCode)>) -> Response {
    let fresh = cookie.is_none().then(|| secret::make(Kind::Visit));
    let cookie = cookie.or(fresh.as_ref().map(Secret::expose)).unwrap_or_default();
    let status = trouble.map_or(StatusCode::OK, |(_, status)| status);
    let csrf = hub.visits.csrf(cookie);
    let notice = trouble.map(|(text, _)| text);
    let page = Page::SignIn { csrf: &csrf, user_code, notice }.answer(status);
    match fresh {
        Some(fresh) => with_cookie(hub, fresh.expose(), page),
        None => page,
    }
}

fn with_cookie(hub: &Hub, cookie: &str, mut response: Response) -> Response {
    let secure = if hub.origin.is_https() { "; Secure" } else { "" };
    let cookie = format!("{}={cookie}; Path=/; HttpOnly; SameSite=Strict{secure}", hub.origin.cookie_name());
    // Our own words and hex digits are always a header value.
    if let Ok(value) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

fn note(hub: &Hub, error: &crate::store::StoreError) -> Response {
    hub.broken(error);
    broken()
}

fn broken() -> Response {
    let text = "The Hub could not use its state file. Try again later.";
    Page::Done { title: "That did not work", text }.answer(StatusCode::INTERNAL_SERVER_ERROR)
}
