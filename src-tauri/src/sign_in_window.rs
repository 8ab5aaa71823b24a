//! The sign-in window: the Hub's own page and nothing else. It has no capability, keeps nothing, and goes nowhere.

use porten_core::signin::{Visit, visit};
use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager as _, WebviewUrl, WebviewWindowBuilder};
use url::Url;

use crate::state::Porten;

/// Its label. No capability names it.
pub(crate) const LABEL: &str = "sign-in";

/// What the bar in it asks for: the way to the person's browser. A page may ask for it too, and gains nothing.
const TO_BROWSER: &str = "porten:browser";
/// The bar, a function of the machine's name and the code.
const BAR: &str = include_str!("sign_in_bar.js");

/// Opens it at `page`, which core has checked to be on the Hub's `origin`. Its title and the bar in it say which machine
/// is being connected, and the code that the person compares.
pub(crate) fn open(app: &AppHandle, origin: &str, page: Url, (name, code): (&str, &str)) -> tauri::Result<()> {
    close(app);
    let title = format!("Connecting {name} · code {code}");
    let bar = format!("({BAR})({}, {});", serde_json::Value::from(name), serde_json::Value::from(code));
    let (origin, from) = (origin.to_owned(), app.clone());
    let elsewhere = app.clone();
    let own = origin.clone();
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::External(page))
        .title(title)
        .inner_size(440.0, 600.0)
        .center()
        .focused(true)
        // Cookies and stores of its own, gone with it.
        .incognito(true)
        .devtools(false)
        .initialization_script(bar)
        .on_navigation(move |url| match visit(&origin, url.as_str()) {
            _ if url.as_str() == TO_BROWSER => {
                from.state::<Porten>().sign_in.begin(&from, true);
                false
            }
            Visit::Stay => true,
            Visit::Elsewhere(host) => {
                from.state::<Porten>().sign_in.elsewhere(&from, host);
                false
            }
            Visit::Refused => {
                tracing::warn!(scheme = url.scheme(), "the sign-in page may not go there");
                false
            }
        })
        .on_new_window(move |url, _| {
            // A link that wants a window of its own: another site belongs in the browser, all else nowhere.
            if let Visit::Elsewhere(host) = visit(&own, url.as_str()) {
                elsewhere.state::<Porten>().sign_in.elsewhere(&elsewhere, host);
            }
            NewWindowResponse::Deny
        })
        .on_download(|_, _| false)
        .build()?;
    Ok(())
}

/// Closes it, if it is open.
pub(crate) fn close(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(LABEL) {
        // It may be closing already.
        let _ = window.destroy();
    }
}
