//! logind, as it is asked over the system's bus (org.freedesktop.login1(5)).

use serde::Serialize;
use zbus::message::Message;
use zbus::zvariant::DynamicType;
use zbus::{Connection, Error};

/// Its name on the bus.
pub(crate) const NAME: &str = "org.freedesktop.login1";

/// Calls a method of its manager.
pub(crate) async fn call<B>(bus: &Connection, method: &str, body: &B) -> Result<Message, Error>
where
    B: Serialize + DynamicType + Sync,
{
    let manager = Some("org.freedesktop.login1.Manager");
    bus.call_method(Some(NAME), "/org/freedesktop/login1", manager, method, body).await
}
