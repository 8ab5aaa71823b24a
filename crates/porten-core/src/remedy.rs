//! What a person can do about something: a command and its arguments as data. The advice is the same everywhere; each front
//! end adds what it has: the terminal a command to type, the app a button.

use serde::{Deserialize, Serialize};

/// One remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Remedy {
    /// Sign this machine in at the Hub.
    SignIn {
        /// Somebody was signed in before.
        again: bool,
    },
    /// Have the Hub allow this node, then sign in.
    AskToBeAllowed,
    /// Two agents use one node's sign-in: end the other one, or sign in here.
    EndOtherAgent,
    /// See whether the Hub's address is right.
    CheckHubAddress,
    /// The network may want a sign-in of its own before it lets anything through.
    NetworkSignIn,
    /// See whether this machine's date is right.
    CheckDate,
    /// Have the system trust the authority that vouched for the certificate.
    TrustAuthority,
    /// Give the proxy a user and a password, or go around it.
    ProxyPassword,
    /// See whether the network leads to the Hub.
    CheckNetwork {
        /// The Hub's address.
        hub: String,
    },
    /// Go online.
    GoOnline,
    /// End a pause.
    Resume,
    /// Start the engine.
    StartEngine,
    /// Quit exo on each Mac and open it again.
    RestartExo,
    /// What exo still lists goes by itself, or when exo is restarted.
    AwaitExo,
    /// Wait: exo is busy with its history.
    AwaitReplay,
    /// See to a Mac.
    CheckMac {
        /// Its name.
        mac: String,
    },
    /// Check the cables between the Macs that hold a model, then place it again.
    CheckCables {
        /// The model's Hub id.
        model: String,
    },
    /// Turn RDMA on, on a Mac.
    EnableRdma {
        /// Its name.
        mac: String,
    },
    /// There is nothing to do about it.
    Nothing,
    /// Turn Thunderbolt Bridge off.
    DisableBridges,
    /// Bring all Macs to one version of macOS.
    UpdateMacs,
    /// Quit other apps on a Mac.
    QuitApps {
        /// Its name.
        mac: String,
    },
    /// Tell what the GPU of a Mac may hold.
    TellLimit {
        /// Its name; `None`: of any of them.
        mac: Option<String>,
        /// What it was (MiB), where it was told before.
        mib: Option<u64>,
    },
    /// Make room on a Mac's disk.
    FreeDisk {
        /// Its name.
        mac: String,
    },
    /// Set a smaller memory budget.
    LowerBudget,
    /// Set a memory budget that the Macs have, or force the one that is set.
    CorrectBudget,
    /// Set the memory budget to what the engine's machines hold together.
    SetBudget,
    /// There is too little memory: more Macs, or a smaller model.
    AddMemory,
    /// Turn a model on.
    TurnOn {
        /// Its Hub id; `None`: whichever a person likes, of several.
        model: Option<String>,
    },
    /// Turn another model off, or load this one though it may not fit.
    MakeRoom {
        /// The model's Hub id.
        model: String,
    },
    /// Free memory, then have a model loaded again.
    TryAgain {
        /// Its Hub id.
        model: String,
    },
    /// Load a model in the engine.
    LoadInEngine {
        /// Its Hub id.
        model: String,
    },
    /// Get a load going that does not come on.
    RestartLoad {
        /// The model's Hub id.
        model: String,
    },
    /// The engine finishes by itself, or when the model is turned off and on.
    AwaitModel {
        /// Its Hub id.
        model: String,
    },
    /// Say which of the engine's models is meant.
    MatchModel {
        /// The Hub id.
        model: String,
    },
    /// Serve what the Hub offers, or have it offer what is served.
    ChooseModels,
    /// Ask whoever runs the Hub to offer a model.
    AskHub {
        /// Its Hub id.
        model: String,
    },
    /// Use an engine that answers other routes.
    OtherEngine,
    /// Porten asks the engine for a token again.
    ProveAgain,
    /// The Hub says when it goes on.
    AwaitHub,
    /// The Hub tries this node again by itself.
    AwaitRetry,
    /// Put the machine on mains power, or let it sleep.
    PlugIn,
    /// Have the system keep the machine awake, or let it sleep.
    AllowAwake,
    /// Make room in the menu bar.
    ShowIcon,
}

impl Remedy {
    /// Whether it is a change of a setting, which the app has a page for.
    #[must_use]
    pub const fn is_a_setting(&self) -> bool {
        matches!(
            self,
            Self::CheckHubAddress
                | Self::TellLimit { .. }
                | Self::LowerBudget
                | Self::CorrectBudget
                | Self::SetBudget
                | Self::MatchModel { .. }
                | Self::PlugIn
                | Self::AllowAwake
        )
    }

    /// What to do, in one sentence without a full stop; no command and no button is named.
    #[must_use]
    pub fn advice(&self) -> String {
        let of_mac = |mac: &str, before: &str, after: &str| format!("{before} {mac}{after}");
        match self {
            Self::SignIn { again: false } => "Sign in".into(),
            Self::SignIn { again: true } => "Sign in again".into(),
            Self::AskToBeAllowed => "Ask whoever runs the Hub to allow this node, then sign in again".into(),
            Self::EndOtherAgent => "Stop the other agent, or sign in here again".into(),
            Self::CheckHubAddress => "Check the Hub's address; if it is right, ask whoever runs the Hub".into(),
            Self::NetworkSignIn => {
                "Open a browser: this network may want a sign-in before it lets anything through, and Porten comes \
                 back by itself within a minute of it; else check the Hub's address"
                    .into()
            }
            Self::CheckDate => {
                "Check this Mac's date; if it is right, whoever runs the Hub must renew the certificate".into()
            }
            Self::TrustAuthority => "If your network inspects TLS, add that authority to the system's trust store, or \
                 ask whoever runs the network; else ask whoever runs the Hub"
                .into(),
            Self::ProxyPassword => "Put user and password into the proxy's address: \
                 HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT; or exempt the Hub with NO_PROXY"
                .into(),
            Self::CheckNetwork { hub } => format!("Porten keeps trying; check the network and {hub}"),
            Self::GoOnline => "Go online".into(),
            Self::Resume => "End the pause".into(),
            Self::StartEngine => "Once it runs, Porten notices by itself".into(),
            Self::RestartExo => "Quit exo on each Mac and open it again".into(),
            Self::AwaitExo => "It goes within a minute; if not, quit exo on each Mac and open it again".into(),
            Self::AwaitReplay => "This can take a few minutes".into(),
            Self::CheckMac { mac } => of_mac(mac, "Check that", " is awake and exo is open there"),
            Self::CheckCables { model } => {
                format!("Check the cables, then turn {model} off and on to place it again")
            }
            Self::EnableRdma { mac } => of_mac(
                mac,
                "Turn it on: start",
                " in Recovery and run rdma_ctl enable in its Terminal (macOS 26.2 or later)",
            ),
            Self::Nothing => "There is nothing to do; models that it takes part in run over IP".into(),
            Self::DisableBridges => "Turn Thunderbolt Bridge off on them: System Settings, Network".into(),
            Self::UpdateMacs => "Update them all to the same version: RDMA between them wants it".into(),
            Self::QuitApps { mac } => of_mac(mac, "Quit other apps on", ", or turn a model off"),
            Self::TellLimit { mac: Some(mac), mib: Some(mib) } => {
                format!("Set it on {mac} again (sudo sysctl iogpu.wired_limit_mb={mib}), then tell Porten")
            }
            Self::TellLimit { .. } => "If you raised a Mac's limit, tell Porten".into(),
            Self::FreeDisk { mac } => of_mac(mac, "Delete models on", ", or free its disk"),
            Self::CorrectBudget => "Lower the memory budget, or force it if it is meant".into(),
            Self::LowerBudget => "Lower the memory budget, or raise the Macs' limits".into(),
            Self::SetBudget => "If the engine pools more Macs, set the memory budget to what they hold together".into(),
            Self::AddMemory => "Add a Mac, or serve a smaller model".into(),
            Self::TurnOn { model: Some(model) } => format!("Turn {model} on"),
            Self::TurnOn { model: None } => "Turn a model on".into(),
            Self::MakeRoom { .. } => "Turn another model off, or load it anyway, at a Mac's risk".into(),
            Self::TryAgain { .. } => "Free memory on the Macs or turn another model off, then try again".into(),
            Self::LoadInEngine { .. } => "Load the model in your engine; Porten tries again by itself".into(),
            Self::RestartLoad { .. } => "Quit exo on that Mac and open it again, or turn the model off and on".into(),
            Self::AwaitModel { .. } => "It ends by itself; if it does not, turn the model off and on".into(),
            Self::MatchModel { .. } => "Say which of the engine's models it is".into(),
            Self::ChooseModels => {
                "Load a model that the Hub offers, or ask whoever runs the Hub to offer one of yours".into()
            }
            Self::AskHub { .. } => "Ask whoever runs the Hub to offer it".into(),
            Self::OtherEngine => "Use another engine".into(),
            Self::ProveAgain => "Porten asks the engine for a token again and tells the Hub".into(),
            Self::AwaitHub => "Wait: the Hub says when it goes on; or ask whoever runs it".into(),
            Self::AwaitRetry => "See what the engine says of it; the Hub tries it here again by itself".into(),
            Self::PlugIn => "Plug it in, or let it sleep".into(),
            Self::AllowAwake => "See that the system allows it, or let it sleep".into(),
            Self::ShowIcon => {
                "Quit another icon or allow Porten there; opening Porten once more always shows this".into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each; a new variant is missed here by its count alone, so each match on it is total.
    pub(crate) fn all() -> Vec<Remedy> {
        let (mac, model) = (|| "mbp".to_owned(), || "kimi".to_owned());
        vec![
            Remedy::SignIn { again: false },
            Remedy::SignIn { again: true },
            Remedy::AskToBeAllowed,
            Remedy::EndOtherAgent,
            Remedy::CheckHubAddress,
            Remedy::NetworkSignIn,
            Remedy::CheckDate,
            Remedy::TrustAuthority,
            Remedy::ProxyPassword,
            Remedy::CheckNetwork { hub: "wss://hub.test".into() },
            Remedy::GoOnline,
            Remedy::Resume,
            Remedy::StartEngine,
            Remedy::RestartExo,
            Remedy::AwaitExo,
            Remedy::AwaitReplay,
            Remedy::CheckMac { mac: mac() },
            Remedy::CheckCables { model: model() },
            Remedy::EnableRdma { mac: mac() },
            Remedy::Nothing,
            Remedy::DisableBridges,
            Remedy::UpdateMacs,
            Remedy::QuitApps { mac: mac() },
            Remedy::TellLimit { mac: None, mib: None },
            Remedy::TellLimit { mac: Some(mac()), mib: Some(98_304) },
            Remedy::FreeDisk { mac: mac() },
            Remedy::LowerBudget,
            Remedy::CorrectBudget,
            Remedy::SetBudget,
            Remedy::AddMemory,
            Remedy::TurnOn { model: None },
            Remedy::TurnOn { model: Some(model()) },
            Remedy::MakeRoom { model: model() },
            Remedy::TryAgain { model: model() },
            Remedy::LoadInEngine { model: model() },
            Remedy::RestartLoad { model: model() },
            Remedy::AwaitModel { model: model() },
            Remedy::MatchModel { model: model() },
            Remedy::ChooseModels,
            Remedy::AskHub { model: model() },
            Remedy::OtherEngine,
            Remedy::ProveAgain,
            Remedy::AwaitHub,
            Remedy::AwaitRetry,
            Remedy::PlugIn,
            Remedy::AllowAwake,
            Remedy::ShowIcon,
        ]
    }

    #[test]
    fn advice_names_no_command_and_no_setting_and_ends_without_a_stop() {
        for remedy in all() {
            let advice = remedy.advice();
            assert!(!advice.contains("porten ") && !advice.contains("PORTEN_"), "{advice}");
            assert!(!advice.ends_with('.') && advice.starts_with(char::is_uppercase), "{advice}");
        }
    }

    #[test]
    fn a_remedy_is_data_with_its_arguments() {
        let turn_on = Remedy::TurnOn { model: Some("glm-5".into()) };
        let text = serde_json::to_string(&turn_on).unwrap();
        assert_eq!(text, r#"{"action":"turn_on","model":"glm-5"}"#);
        for remedy in all() {
            let text = serde_json::to_string(&remedy).unwrap();
            assert_eq!(serde_json::from_str::<Remedy>(&text).unwrap(), remedy);
        }
    }
}
