//! A file from a form. The API's route for files receives it piece by piece, and its reply leads to the next page.

use std::sync::Weak;

use hyper::body::Bytes;
use hyper::http::{Method, StatusCode};

use super::act;
use super::form::Form;
use super::query;
use super::serve::is_session;
use super::view::refusal_of;
use crate::access::Caller;
use crate::api::App;
use crate::api::engine::call::{Call, Handled, Step};
use crate::api::engine::subrequest::Subrequest;
use crate::rest::input::Input;
use crate::rest::intake::{Intake, IntakeStep};
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;

/// The route of the API that receives files.
const ROUTE: &str = "/api/v1/uploads";
const ID: &str = "uploads_create";

/// `POST /ui/upload?next=PAGE`: uploads a file.
pub(crate) fn upload(app: &App, call: Call) -> Handled {
    is_session(&call.caller)?;
    let begun = Subrequest::new(app, &call.input.head, Method::POST, ROUTE)
        .and_then(|asked| asked.with_body_of(&call.input.head).begin(app, &call.caller));
    let page = FormPage { app: app.handle(), caller: call.caller, input: call.input };
    match begun {
        Ok(intake) => Ok(Step::Intake(Box::new(PageIntake { intake, page }))),
        Err(error) => Ok(Step::Later(act::back(app, &page.caller, &page.input, page.form(), error))),
    }
}

/// The page of the form, and who sent it.
struct FormPage {
    app: Weak<App>,
    caller: Caller,
    input: Input,
}

impl FormPage {
    /// A form with the address of the next page, which is also the page to return to.
    fn form(&self) -> Form {
        Form::of(&act::BACK, self.input.query.text(&query::NEXT).unwrap_or("/ui/"))
    }

    /// Replaces the reply of the API with a page.
    fn after(self, outcome: Outcome) -> Outcome {
        let made = move |reply: Reply| {
            let Some(app) = self.app.upgrade() else {
                return Outcome::Done(Reply::empty(StatusCode::SERVICE_UNAVAILABLE));
            };
            let form = self.form();
            if reply.status.is_success() {
                Outcome::Done(act::onward(&form, ID, &serde_json::Value::Null))
            } else {
                act::back(&app, &self.caller, &self.input, form, refusal_of(&reply))
            }
        };
        Outcome::Then(Box::new(outcome), Box::new(made))
    }
}

/// The intake of the API's route, with a page instead of its reply.
struct PageIntake {
    intake: Box<dyn Intake>,
    page: FormPage,
}

fn wrapped(taken: IntakeStep, page: FormPage) -> IntakeStep {
    match taken {
        IntakeStep::More(intake) => IntakeStep::More(Box::new(PageIntake { intake, page })),
        IntakeStep::Later(later) => IntakeStep::Later(later.then(move |taken| wrapped(taken, page))),
        IntakeStep::Ended(outcome) => IntakeStep::Ended(page.after(outcome)),
    }
}

impl Intake for PageIntake {
    fn piece(self: Box<Self>, bytes: Bytes) -> IntakeStep {
        wrapped(self.intake.piece(bytes), self.page)
    }

    fn end(self: Box<Self>) -> Outcome {
        self.page.after(self.intake.end())
    }
}
