//! What Linux alone asks of a menu-bar app.

pub(crate) mod drawing;
pub(crate) mod network;

/// To be called first of all, before there is a second thread.
pub(crate) fn set_up() {
    // What a screen reader says of the icon; the state is the first line of its menu.
    glib::set_application_name("Porten");
    drawing::plainly();
}
