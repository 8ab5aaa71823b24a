//! One bounded HTTP exchange with the Hub's sign-in: no redirects, one TLS configuration, a deadline and a size limit.

use std::time::Duration;

use porten_core::reply::Reply;
use porten_core::signin::{self, Form};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, redirect};
use url::Url;

/// For one exchange in all; under `signin::REQUEST_LIMIT`, after which the machines no longer wait for it.
const DEADLINE: Duration = Duration::from_secs(15);

/// The client for sign-in.
#[derive(Debug, Clone)]
pub struct HubHttp {
    client: Client,
}

impl HubHttp {
    /// A client that judges certificates as the tunnel does.
    ///
    /// # Errors
    /// The TLS configuration was refused.
    pub fn new(tls: &rustls::ClientConfig) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .redirect(redirect::Policy::none())
            .timeout(DEADLINE)
            .user_agent(concat!("porten/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client })
    }

    /// `GET`.
    pub async fn get(&self, url: &str) -> Reply {
        self.exchange(self.client.get(url)).await
    }

    /// `POST` of a form. Tokens travel in the body, never in the address.
    pub async fn post(&self, url: &Url, form: &Form) -> Reply {
        let request = self.client.post(url.clone()).header(CONTENT_TYPE, signin::CONTENT_TYPE);
        self.exchange(request.body(form.body().to_owned())).await
    }

    async fn exchange(&self, request: RequestBuilder) -> Reply {
        let Ok(mut response) = request.send().await else { return Reply::Lost };
        let status = response.status().as_u16();
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= signin::MAX_ANSWER => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Ok(Some(_)) | Err(_) => return Reply::Lost,
            }
        }
        Reply::Answer { status, body, retry_after: seconds.map(Duration::from_secs) }
    }
}
