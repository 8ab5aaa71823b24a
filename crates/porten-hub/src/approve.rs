//! Serves the approval page: a person signs in, sees which machine asks, and says yes or no.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use porten_core::secret::Secret;
use serde::Deserialize;

use crate::client_address::ClientAddress;
use crate::clock;
use crate::hub::Hub;
use crate::oauth::pending::{Asked, Decision};
use crate::page::{self, Page};
use crate::passphrase::{Asker, PassphraseError};
use crate::secret::{self, Kind};
use crate::store::MAX_GRANTS;
use crate::visits::Visit;

/// The longest account name that is looked at (bytes).
const MAX_ACCOUNT: usize = 64;

const WRONG: &str = "That account and passphrase do not belong together.";
const TOO_OFTEN: &str = "Too many mistakes. Try again in ten minutes.";
const CROWD: &str = "Many people sign in just now. Try again in a moment.";
const STALE: &str = "This page is no longer good. Open it again, and allow cookies for this Hub.";
const TYPE_IT: &str =
    "You were signed in here before that machine asked. Type the code that you see on the machine’s own screen.";
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
pub(crate) struct Said {
    csrf: String,
    user_code: String,
    /// `connect` or `refuse`; left out by who only typed a code.
    answer: Option<String>,
}

/// A person who is signed in.
struct Visitor<'a> {
    visit: Visit,
    /// The account's name.
    name: String,
    /// The visit's own.
    cookie: &'a str,
}

/// `GET /device`: asks for whatever is still missing. A code in the address only fills a field, and that only if the
/// person signed in after the machine asked: who is signed in already could be sent a link to somebody else's machine.
pub(crate) async fn show(
    State(hub): State<Arc<Hub>>,
    Extension(from): Extension<ClientAddress>,
    headers: HeaderMap,
    prefill: Result<Query<Prefill>, QueryRejection>,
) -> Result<Response, Response> {
    let typed = prefill.map(|Query(prefill)| prefill.user_code).unwrap_or_default();
    let cookie = hub.cookie(&headers);
    let Some(visitor) = visitor(&hub, cookie).await? else { return Ok(sign_in(&hub, cookie, &typed, None)) };
    if typed.is_empty() {
        return Ok(code(&hub, &visitor, None, StatusCode::OK));
    }
    let (user_code, asked) = match find(&hub, &visitor, &typed) {
        Ok(found) => found,
        Err(miss) => return Ok(miss.answer(&hub, &visitor)),
    };
    if visitor.visit.begun < asked.request.asked {
        return Ok(code(&hub, &visitor, Some(TYPE_IT), StatusCode::OK));
    }
    Ok(question(&hub, &visitor, &user_code, &asked, from))
}

/// `POST /device/sign-in`
pub(crate) async fn begin_visit(
    State(hub): State<Arc<Hub>>,
    Extension(from): Extension<ClientAddress>,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Result<Response, Response> {
    let cookie = hub.cookie(&headers);
    let Some(browser) = cookie.filter(|cookie| hub.visits.is_own_form(cookie, &form.csrf)).map(secret::digest) else {
        return Ok(sign_in(&hub, cookie, &form.user_code, Some((STALE, StatusCode::FORBIDDEN))));
    };
    let again = |text, status| sign_in(&hub, cookie, &form.user_code, Some((text, status)));
    let locked = || again(TOO_OFTEN, StatusCode::TOO_MANY_REQUESTS);
    if form.account.len() > MAX_ACCOUNT {
        return Ok(again(WRONG, StatusCode::FORBIDDEN));
    }
    let now = clock::now();
    if !hub.guesses.may_try(&form.account, from, now) {
        return Ok(locked());
    }
    let is_known = hub.guesses.is_home(&form.account, from, now);
    let right = async {
        let turn = hub.passphrases.turn(Asker { from, browser, is_known }).await?;
        // Others tried while this one waited.
        let now = clock::now();
        if !hub.guesses.try_one(&form.account, from, now) {
            return Ok(Err(locked()));
        }
        let account = match hub.store.account(&form.account).await {
            Ok(account) => account,
            Err(error) => return Ok(Err(note(&hub, &error))),
        };
        let stored = account.as_ref().map(|account| account.passphrase.clone());
        let right = turn.check(stored, form.passphrase).await?;
        Ok(Ok(account.filter(|_| right)))
    };
    let account = match right.await {
        Ok(checked) => checked?,
        Err(PassphraseError::Busy) => return Ok(again(CROWD, StatusCode::SERVICE_UNAVAILABLE)),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a passphrase could not be checked");
            return Err(broken());
        }
    };
    let Some(account) = account else { return Ok(again(WRONG, StatusCode::FORBIDDEN)) };
    let now = clock::now();
    hub.guesses.was_right(&form.account, from, now);
    let visit = hub.visits.begin(Visit { account: account.id, epoch: account.epoch, begun: now });
    // Back to the question by an address of our own: only what reads as a code goes into it.
    let next = secret::read_user_code(&form.user_code).map_or_else(
        || page::PATH.to_owned(),
        |code| format!("{}?user_code={}", page::PATH, secret::show_user_code(&code)),
    );
    Ok(with_cookie(&hub, visit.expose(), Redirect::to(&next).into_response()))
}

/// `POST /device`: the code that a person typed, or the person's answer.
pub(crate) async fn decide(
    State(hub): State<Arc<Hub>>,
    Extension(from): Extension<ClientAddress>,
    headers: HeaderMap,
    Form(form): Form<Said>,
) -> Result<Response, Response> {
    let cookie = hub.cookie(&headers);
    let visitor = match cookie.filter(|cookie| hub.visits.is_own_form(cookie, &form.csrf)) {
        Some(_) => visitor(&hub, cookie).await?,
        None => None,
    };
    let Some(visitor) = visitor else {
        return Ok(sign_in(&hub, cookie, &form.user_code, Some((STALE, StatusCode::FORBIDDEN))));
    };
    let connect = match form.answer.as_deref() {
        Some("connect") => Some(true),
        Some("refuse") => Some(false),
        None => None,
        Some(_) => return Ok(code(&hub, &visitor, None, StatusCode::BAD_REQUEST)),
    };
    let (user_code, asked) = match find(&hub, &visitor, &form.user_code) {
        Ok(found) => found,
        Err(miss) => return Ok(miss.answer(&hub, &visitor)),
    };
    let Some(connect) = connect else { return Ok(question(&hub, &visitor, &user_code, &asked, from)) };
    let Visit { account, epoch, .. } = visitor.visit;
    let now = clock::now();
    if connect && !hub.store.has_room(account, &asked.request.node, now).await.map_err(|error| note(&hub, &error))? {
        return Ok(full());
    }
    if !hub.pending.answer(&user_code, Decision { account, epoch, connect }, now) {
        return Ok(Miss::Unknown.answer(&hub, &visitor));
    }
    let machine = asked.request.name;
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
}

impl Miss {
    fn answer(&self, hub: &Hub, visitor: &Visitor<'_>) -> Response {
        match self {
            Self::Unknown => code(hub, visitor, Some(NO_CODE), StatusCode::NOT_FOUND),
            Self::TooOften => code(hub, visitor, Some(TOO_OFTEN), StatusCode::TOO_MANY_REQUESTS),
        }
    }
}

/// The code in its stored form and who waits with it. Wrong codes are counted.
fn find(hub: &Hub, visitor: &Visitor<'_>, typed: &str) -> Result<(String, Asked), Miss> {
    let now = clock::now();
    if !hub.visits.may_try_code(visitor.visit.account, now) {
        return Err(Miss::TooOften);
    }
    let found = secret::read_user_code(typed).and_then(|code| Some((hub.pending.asked(&code, now)?, code)));
    found.map(|(asked, code)| (code, asked)).ok_or_else(|| {
        hub.visits.tried_wrong_code(visitor.visit.account, now);
        Miss::Unknown
    })
}

/// Who is signed in with this cookie: the state file is asked each time whether that still stands.
async fn visitor<'a>(hub: &Hub, cookie: Option<&'a str>) -> Result<Option<Visitor<'a>>, Response> {
    let found = cookie.and_then(|cookie| Some((hub.visits.find(cookie, clock::now())?, cookie)));
    let Some((visit, cookie)) = found else { return Ok(None) };
    let name = hub.store.account_in_epoch(visit.account, visit.epoch).await.map_err(|error| note(hub, &error))?;
    Ok(name.map(|name| Visitor { visit, name, cookie }))
}

/// The form for a code.
fn code(hub: &Hub, visitor: &Visitor<'_>, notice: Option<&str>, status: StatusCode) -> Response {
    Page::Code { csrf: &hub.visits.csrf(visitor.cookie), notice }.answer(status)
}

/// Connect this machine?
fn question(hub: &Hub, visitor: &Visitor<'_>, user_code: &str, asked: &Asked, from: ClientAddress) -> Response {
    let page = Page::Question {
        csrf: &hub.visits.csrf(visitor.cookie),
        user_code: &secret::show_user_code(user_code),
        machine: &asked.request.name,
        account: &visitor.name,
        asked: &page::asked(asked.request.asked, clock::now()),
        from: &asked.from.to_string(),
        from_here: asked.from == from,
    };
    page.answer(StatusCode::OK)
}

fn full() -> Response {
    let text = format!(
        "This account has {MAX_GRANTS} machines, as many as it may have. Sign one out that is not needed any more \
         (porten logout there), or ask whoever runs this Hub to remove one. Then open this page again."
    );
    Page::Done { title: "Not connected", text: &text }.answer(StatusCode::CONFLICT)
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
