//! The pages of the authorization server in the console's frame. A user who is logged in also gets the navigation.

use askama::Template;

use super::core::assets::url;
use super::core::filters;
use super::core::frame::{Assets, Frame};
use super::core::view::{Told, View, html};
use crate::access::Caller;
use crate::api::App;
use crate::api::engine::app::Framed;
use crate::rest::input::Input;
use crate::rest::reply::Reply;

#[derive(Template)]
#[template(path = "program.html")]
struct Within<'a> {
    frame: Frame,
    page: &'a Framed<'a>,
    script: String,
}

#[derive(Template)]
#[template(path = "stranger.html")]
struct Before<'a> {
    assets: Assets,
    page: &'a Framed<'a>,
    script: String,
}

/// Makes the page. It is never compressed: it may have a secret next to text of the program, and its length would
/// reveal information about the secret.
pub(crate) fn page(app: &App, input: &Input, viewer: Option<&Caller>, page: &Framed<'_>) -> Reply {
    let script = url("login.js");
    let Some(caller) = viewer else {
        return html(page.status, &Before { assets: Assets::new(), page, script });
    };
    let told = Told::default();
    let view = View::new(app, caller, input, &told, &[]);
    html(page.status, &Within { frame: view.frame(page.title, ""), page, script })
}
