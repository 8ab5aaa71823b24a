//! Signs this Mac in: the Hub's page in a window of its own or in the person's browser, the grant from the poll.

use std::sync::Mutex;

use porten_agent::login::{News, login};
use porten_agent::node::machine_name;
use porten_agent::setup::Setup;
use porten_core::bridge::{Scene, SignInView, Visit};
use porten_core::command::Command;
use porten_core::popover::Input;
use porten_core::signin::device::{Prompt, slower};
use porten_core::snapshot::sentence;
use tauri::{AppHandle, Manager as _};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::hold::Live;
use crate::state::Porten;
use crate::{bridge, browser, popover, sign_in_window};

/// The sign-in of this host: at most one at a time.
pub(crate) struct SignIn {
    visit: watch::Sender<Visit>,
    current: Mutex<Option<Current>>,
}

/// The one under way.
struct Current {
    stop: CancellationToken,
    prompt: Option<Shown>,
}

/// What the person was shown.
#[derive(Clone)]
struct Shown {
    code: String,
    page: Url,
    /// The Hub asked to wait longer.
    slower: Option<String>,
}

impl SignIn {
    pub(crate) fn new() -> (Self, watch::Receiver<Visit>) {
        let (visit, seen) = watch::channel(Visit::default());
        (Self { visit, current: Mutex::default() }, seen)
    }

    /// Tells where it is now.
    fn tell(&self, view: SignInView) {
        self.visit.send_modify(|visit| visit.view = view);
    }

    /// Begins one; or, with `browser`, takes the one under way to the person's browser, with the code that it has.
    pub(crate) fn begin(&self, app: &AppHandle, browser: bool) {
        if browser && let Some(shown) = self.shown() {
            self.to_browser(app, shown, None);
            return;
        }
        self.cancel(app);
        let Some(live) = bridge::live(app) else {
            self.tell(SignInView::Failed { text: "The agent does not run yet; try again.".to_owned() });
            return;
        };
        let stop = CancellationToken::new();
        if let Ok(mut current) = self.current.lock() {
            *current = Some(Current { stop: stop.clone(), prompt: None });
        }
        let hub = Some(live.setup.config.hub.value.as_str().to_owned());
        self.visit.send_replace(Visit { view: SignInView::Asking, hub });
        let app = app.clone();
        tauri::async_runtime::spawn(async move {
            let signed_in = tokio::select! {
                signed_in = run(&app, &live, browser) => signed_in,
                () = stop.cancelled() => return,
            };
            app.state::<Porten>().sign_in.end(&app, signed_in);
        });
    }

    /// Gives it up.
    pub(crate) fn cancel(&self, app: &AppHandle) {
        if let Some(current) = self.current.lock().ok().and_then(|mut current| current.take()) {
            current.stop.cancel();
        }
        sign_in_window::close(app);
        self.tell(SignInView::Idle);
    }

    /// The Hub's page wants to go to another site, named `host`: the browser is the place for that.
    pub(crate) fn elsewhere(&self, app: &AppHandle, host: String) {
        if let Some(shown) = self.shown() {
            self.to_browser(app, shown, Some(host));
        }
    }

    fn shown(&self) -> Option<Shown> {
        self.current.lock().ok()?.as_ref()?.prompt.clone()
    }

    fn to_browser(&self, app: &AppHandle, shown: Shown, elsewhere: Option<String>) {
        let again = elsewhere.is_some() && matches!(self.visit.borrow().view, SignInView::Browser { .. });
        let url = shown.page.to_string();
        let Shown { code, slower, .. } = shown;
        self.tell(SignInView::Browser { code, url: url.clone(), elsewhere, slower });
        // The page asks once more while its window closes: one browser is enough.
        if again {
            return;
        }
        let app = app.clone();
        // Not from within the window's own handler: it would be destroyed while it runs.
        tauri::async_runtime::spawn(async move {
            sign_in_window::close(&app);
            // The page's address was checked to be on the Hub's own origin. If no browser opens, the popover shows it.
            browser::open(&url).await;
            popover::on(&app, Input::Open);
        });
    }

    /// Shows the page and the code.
    fn show(&self, app: &AppHandle, origin: &str, prompt: &Prompt, browser: bool) {
        let page = prompt.page_with_code.clone().unwrap_or_else(|| prompt.page.clone());
        let shown = Shown { code: prompt.user_code.clone(), page, slower: None };
        if let Ok(mut current) = self.current.lock()
            && let Some(current) = current.as_mut()
        {
            current.prompt = Some(shown.clone());
        }
        if browser {
            self.to_browser(app, shown, None);
        } else if let Err(error) = sign_in_window::open(app, origin, shown.page.clone(), (&machine_name(), &shown.code))
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "no sign-in window; the browser it is");
            self.to_browser(app, shown, None);
        } else {
            self.tell(SignInView::Window { code: shown.code, slower: None });
        }
    }

    /// The Hub asked to wait longer, said in one sentence.
    fn slower(&self, said: &str) {
        if let Ok(mut current) = self.current.lock()
            && let Some(shown) = current.as_mut().and_then(|current| current.prompt.as_mut())
        {
            shown.slower = Some(said.to_owned());
        }
        self.visit.send_modify(|visit| {
            if let SignInView::Window { slower, .. } | SignInView::Browser { slower, .. } = &mut visit.view {
                *slower = Some(said.to_owned());
            }
        });
    }

    fn end(&self, app: &AppHandle, signed_in: Result<(), String>) {
        if let Ok(mut current) = self.current.lock() {
            *current = None;
        }
        sign_in_window::close(app);
        self.tell(match signed_in {
            Ok(()) => SignInView::Idle,
            Err(text) => SignInView::Failed { text },
        });
        popover::on(app, Input::Open);
    }
}

/// Gives up a sign-in whose Hub is not the one any more that the settings name, until the app ends.
pub(crate) async fn follow(app: AppHandle, mut scenes: watch::Receiver<Scene>) {
    loop {
        let hub = scenes.borrow_and_update().snapshot.as_ref().map(|snapshot| snapshot.hub.url.clone());
        let sign_in = &app.state::<Porten>().sign_in;
        let is_elsewhere = sign_in.visit.borrow().is_elsewhere(hub.as_deref());
        if is_elsewhere {
            sign_in.cancel(&app);
            sign_in.visit.send_modify(|visit| visit.hub = None);
        }
        if scenes.changed().await.is_err() {
            return;
        }
    }
}

/// One sign-in, to its end; what went wrong is a sentence for the person.
async fn run(app: &AppHandle, live: &Live, browser: bool) -> Result<(), String> {
    let said = |error: &dyn std::error::Error| sentence(&error.to_string());
    let Setup { config, .. } = &*live.setup;
    let hub = &config.hub.value;
    let node = live.setup.node().map_err(|error| said(&error))?;
    let http = Setup::hub_http().map_err(|error| said(&error))?;
    let vault = live.setup.vault(&node);
    let tell = |news: News<'_>| {
        let sign_in = &app.state::<Porten>().sign_in;
        match news {
            News::Prompt(prompt) => sign_in.show(app, hub.origin(), prompt, browser),
            News::Slower(every) => sign_in.slower(&slower(every)),
        }
    };
    login(&http, hub, &vault, (&node, &machine_name()), tell).await.map_err(|error| said(&error))?;
    live.client.send(Command::CredentialChanged).await.map_err(|declined| declined.text)
}
