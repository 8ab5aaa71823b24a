//! What the tests of a Hub share: a Hub on a free port, an HTTP client, a person at the approval page, and a node.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what tests share fails like a test")]

use std::net::SocketAddr;
use std::ops::Deref;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use porten_hub::{Capacity, Catalog, Config, Running, Store, Timing, TrustedProxy};
use serde_json::Value;

pub(crate) mod node;

/// A Hub as those who use it know it.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) account: String,
    pub(crate) passphrase: String,
    pub(crate) api_key: String,
}

/// A Hub in this process, with the account `dev`.
pub(crate) struct Hub {
    pub(crate) site: Site,
    pub(crate) running: Running,
    pub(crate) store: Store,
}

impl Deref for Hub {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

/// One answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The OpenAI error's code, or the OAuth error.
    pub(crate) fn error(&self) -> String {
        let json = self.json();
        let code = json["error"]["code"].as_str().or(json["error"].as_str());
        code.unwrap_or_else(|| panic!("no error in {}", self.body)).to_owned()
    }
}

pub(crate) async fn hub() -> Hub {
    hub_with(Timing::dev(), Store::in_memory().unwrap()).await
}

pub(crate) async fn hub_with(timing: Timing, store: Store) -> Hub {
    hub_that_drains(timing, store, Duration::from_secs(2)).await
}

/// One that waits this long for running requests when it stops.
pub(crate) async fn hub_that_drains(timing: Timing, store: Store, drain_within: Duration) -> Hub {
    let catalog = "[[model]]\nid = \"tiny\"\nmemory_mib = 1\n\
                   [[model]]\nid = \"chat-only\"\nmemory_mib = 1\nroutes = [\"/v1/chat/completions\"]\n\
                   [[model]]\nid = \"big\"\nmemory_mib = 500000\n";
    let seeded = porten_hub::seed(&store).await.unwrap();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        public: None,
        // A test says where a request comes from with X-Forwarded-For.
        trusted_proxies: ["127.0.0.1".parse::<TrustedProxy>().unwrap()].into_iter().collect(),
        store: store.clone(),
        catalog: Catalog::read(catalog).unwrap(),
        capacity: Capacity::default(),
        // Nothing is said that a test does not bring about.
        timing: Timing { retell: Duration::from_secs(600), ..timing },
        drain_within,
    };
    let running = porten_hub::start(config).await.unwrap();
    let site = Site {
        address: running.address(),
        account: seeded.account.to_owned(),
        passphrase: seeded.passphrase.expose().to_owned(),
        api_key: seeded.api_key.expose().to_owned(),
    };
    Hub { site, running, store }
}

impl Site {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.address, Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post_form_with(path, form, None).await
    }

    pub(crate) async fn post_form_with(&self, path: &str, form: &[(&str, &str)], cookie: Option<&str>) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        send(self.address, request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn get_with(&self, path: &str, cookie: &str) -> Answer {
        send(self.address, Request::get(path).header("cookie", cookie).body(Body::empty()).unwrap()).await
    }

    /// A request of a client with the seeded key.
    pub(crate) fn ask(&self, path: &str, body: impl Into<Body>) -> Request<Body> {
        Request::post(path)
            .header("authorization", format!("Bearer {}", self.api_key))
            .header("content-type", "application/json")
            .body(body.into())
            .unwrap()
    }

    pub(crate) async fn chat(&self, model: &str) -> Answer {
        let body = format!(r#"{{"model":"{model}","messages":[],"stream":true}}"#);
        send(self.address, self.ask("/v1/chat/completions", body)).await
    }

    /// Begins a sign-in of a node; its codes.
    pub(crate) async fn begin(&self, node: &str) -> Value {
        let form = [("client_id", "porten"), ("node", node), ("name", "Anna’s Mac")];
        let answer = self.post_form("/oauth/device_authorization", &form).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    pub(crate) async fn poll(&self, codes: &Value) -> Answer {
        let form = [
            ("client_id", "porten"),
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", codes["device_code"].as_str().unwrap()),
        ];
        self.post_form("/oauth/token", &form).await
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> Answer {
        let form = [("client_id", "porten"), ("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        self.post_form("/oauth/token", &form).await
    }

    /// A person opens the page, signs in, and is back at the question; the cookie and the question's form token.
    pub(crate) async fn visit(&self, user_code: &str) -> (String, String) {
        let page = self.get(&format!("/device?user_code={user_code}")).await;
        let (cookie, csrf) = (cookie(&page).unwrap(), csrf(&page));
        let form = [
            ("csrf", csrf.as_str()),
            ("account", self.account.as_str()),
            ("passphrase", self.passphrase.as_str()),
            ("user_code", user_code),
        ];
        let signed_in = self.post_form_with("/device/sign-in", &form, Some(&cookie)).await;
        assert_eq!(signed_in.status, 303, "{}", signed_in.body);
        let cookie = self::cookie(&signed_in).unwrap();
        let question = self.get_with(signed_in.headers["location"].to_str().unwrap(), &cookie).await;
        assert_eq!(question.status, 200, "{}", question.body);
        assert!(question.body.contains("Anna’s Mac") && question.body.contains(user_code), "{}", question.body);
        (cookie, self::csrf(&question))
    }

    pub(crate) async fn decide(&self, user_code: &str, answer: &str) -> Answer {
        let (cookie, csrf) = self.visit(user_code).await;
        let form = [("csrf", csrf.as_str()), ("user_code", user_code), ("answer", answer)];
        self.post_form_with("/device", &form, Some(&cookie)).await
    }

    /// A whole sign-in; the tokens.
    pub(crate) async fn sign_in(&self, node: &str) -> Value {
        let codes = self.begin(node).await;
        let decided = self.decide(codes["user_code"].as_str().unwrap(), "connect").await;
        assert!(decided.body.contains("Connected"), "{}", decided.body);
        let tokens = self.poll(&codes).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        tokens.json()
    }
}

/// A person's browser, with its one cookie, at an address of its own.
pub(crate) struct Browser<'a> {
    hub: &'a Site,
    from: String,
    cookie: Option<String>,
}

impl<'a> Browser<'a> {
    pub(crate) fn at(hub: &'a Site, from: &str) -> Self {
        Self { hub, from: from.to_owned(), cookie: None }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.send(request, Body::from(body)).await
    }

    async fn send(&mut self, mut request: http::request::Builder, body: Body) -> Answer {
        request = request.header("x-forwarded-for", &self.from);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let answer = send(self.hub.address, request.body(body).unwrap()).await;
        self.cookie = cookie(&answer).or_else(|| self.cookie.take());
        answer
    }

    /// Opens the page and signs in; the answer to the form.
    pub(crate) async fn sign_in_as(&mut self, account: &str, passphrase: &str) -> Answer {
        let csrf = csrf(&self.get("/device").await);
        self.post("/device/sign-in", &[("csrf", &csrf), ("account", account), ("passphrase", passphrase)]).await
    }

    /// The same as the Hub's own account.
    pub(crate) async fn sign_in(&mut self) -> Answer {
        self.sign_in_as(&self.hub.account.clone(), &self.hub.passphrase.clone()).await
    }

    /// Types a code and says yes.
    pub(crate) async fn approve(&mut self, user_code: &str) -> Answer {
        let csrf = csrf(&self.get("/device").await);
        self.post("/device", &[("csrf", &csrf), ("user_code", user_code), ("answer", "connect")]).await
    }
}

pub(crate) async fn send(address: SocketAddr, request: Request<Body>) -> Answer {
    let answer = open(address, request).await;
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: head.status, headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

/// Sends a request on a connection of its own; the answer may still be on its way. Dropping it leaves the Hub.
pub(crate) async fn open(address: SocketAddr, request: Request<Body>) -> hyper::Response<Incoming> {
    try_open(address, request).await.unwrap()
}

/// The same, where the Hub may break the connection off before the answer's head.
pub(crate) async fn try_open(
    address: SocketAddr,
    mut request: Request<Body>,
) -> hyper::Result<hyper::Response<Incoming>> {
    if !request.headers().contains_key("host") {
        request.headers_mut().insert("host", address.to_string().parse().unwrap());
    }
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await
}

pub(crate) fn cookie(answer: &Answer) -> Option<String> {
    let set = answer.headers.get("set-cookie")?.to_str().unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    Some(set.split(';').next().unwrap().to_owned())
}

pub(crate) fn csrf(page: &Answer) -> String {
    let rest = page.body.split("name=\"csrf\" value=\"").nth(1).unwrap_or_else(|| panic!("no form in {}", page.body));
    rest.split('"').next().unwrap().to_owned()
}

/// Waits until something holds; the test fails if it never does.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let patience = tokio::time::timeout(Duration::from_secs(10), async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    patience.await.unwrap_or_else(|_| panic!("never: {what}"));
}
