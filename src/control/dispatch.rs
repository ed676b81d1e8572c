//! The dispatch: for each operation of [`crate::api`] what control does, what the edit is, and what is answered. Each has one
//! arm in each of the three functions, and the compiler asks for it.
//!
//! Answered without control, by the isolate that was asked (`edge::admin`): `PlanRouter`, `ExplainRouter`, `OpenApi`.

use super::store::{Entry, Revision, Standing};
use super::{Edited, Reply, Request, Subject, gateway, history, keys, routers};
use crate::api::Operation;
use crate::control::subject::Kind;
use crate::error::{Error, ErrorKind};
use crate::fault::Fault;
use crate::router::edit;

/// What control does for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Shows the document as it stands.
    Show(Subject),
    /// Shows a page of documents.
    List(Page),
    /// Looks up the client key that the path names, or where a new one goes: `keys::surveyed` says what then.
    LookUpKey,
    /// Shows a page of a document's revisions.
    History(Subject, history::Page),
    /// Shows one revision.
    Revision(Subject, u64),
    /// Edits the document.
    Change(Change),
}

/// A page of documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Of this kind.
    pub kind: Kind,
    /// Those whose keys in KV come after this one.
    pub after: String,
    /// How many, at the most.
    pub size: u32,
}

/// An edit of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub subject: Subject,
    /// What becomes of it.
    pub way: Way,
    /// The etag that must still be the newest, without quotes; `*` for any.
    pub expected: Option<String>,
}

/// What becomes of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is made by [`edited`], and must not be there yet.
    Make,
    /// [`edited`] makes the new one, and it must be there.
    Edit,
    /// [`edited`] makes the new one, whether it is there or not.
    Put,
    /// It is deleted. [`edited`] is not asked.
    Delete,
    /// [`edited`] is given an earlier revision beside the current document; the document may have been deleted.
    RollBack(u64),
}

/// What an edit is given.
#[derive(Clone, Copy, Debug)]
pub struct Basis<'b> {
    /// The newest document that validates; `None` where there is none.
    pub current: Option<&'b [u8]>,
    /// The revision to go back to, of a [`Way::RollBack`].
    pub earlier: Option<&'b [u8]>,
    /// The ids that are taken, where a client key is made.
    pub ids: &'b [String],
    /// Milliseconds since 1970.
    pub now: u64,
}

/// What is to be shown.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A document as it stands: of [`Work::Show`], or after a [`Work::Change`].
    Document(Box<Document>),
    /// There is no such document, and perhaps never was: of [`Work::Show`].
    Absent(Subject),
    /// It has been deleted.
    Deleted(Entry),
    /// A page of documents.
    Documents(Listing),
    /// Revisions, newest first, and whether there are more before them.
    History(Vec<Entry>, bool),
    /// One revision.
    Revision(Revision),
}

/// A page of documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// In order of their keys in KV.
    pub documents: Vec<Document>,
    /// What [`Page::after`] of the next page is; `None` on the last.
    pub next: Option<String>,
    /// KV could be listed. Else what control has never seen is missing.
    pub is_whole: bool,
}

/// A document as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Which.
    pub subject: Subject,
    /// The newest revision that validates; `None` where none does.
    pub valid: Option<Revision>,
    /// The newest revision, whose etag is the document's.
    pub newest: Entry,
    /// What is wrong with the newest revision, where something is.
    pub faults: Vec<Fault>,
    /// What is odd in the one that validates.
    pub warnings: Vec<Fault>,
    /// When it was made, and whether KV has it.
    pub standing: Standing,
}

/// What control does for a request. The caller's scopes were checked; router limits are not yet.
///
/// # Errors
/// What is wrong with path, query or body; `NoSuchResource` where the caller may not see the router.
pub fn work(request: &Request) -> Result<Work, Error> {
    match request.asked.operation {
        Operation::ListRouters => routers::list(request),
        Operation::CreateRouter => routers::create(request),
        Operation::GetRouter => Ok(Work::Show(routers::named(request)?)),
        Operation::RouterHistory => Ok(Work::History(routers::named(request)?, history::page(request)?)),
        Operation::RouterRevision => Ok(Work::Revision(routers::named(request)?, history::number(request)?)),
        Operation::UpdateRouter | Operation::PromoteVariant | Operation::RampVariant => {
            routers::change(request, Way::Edit)
        }
        Operation::DeleteRouter => routers::change(request, Way::Delete),
        Operation::RollBackRouter => routers::change(request, Way::RollBack(history::asked(request)?)),

        // Gateway: `Work::Show(Subject::Gateway)` for what reads, `Work::Change` with `Way::Put` for what writes.
        Operation::GetGateway
        | Operation::ListDownstreams
        | Operation::GetDownstream
        | Operation::ListRules
        | Operation::GetRule => Ok(Work::Show(Subject::Gateway)),
        Operation::GatewayHistory => Ok(Work::History(Subject::Gateway, history::page(request)?)),
        Operation::PutGateway
        | Operation::AddDownstreams
        | Operation::PutDownstream
        | Operation::DeleteDownstream
        | Operation::AddRules
        | Operation::PutRule
        | Operation::DeleteRule => Ok(Work::Change(Change::of(Subject::Gateway, Way::Put, request)?)),
        Operation::RollBackGateway => {
            let way = Way::RollBack(history::asked(request)?);
            Ok(Work::Change(Change::of(Subject::Gateway, way, request)?))
        }

        Operation::ListKeys => keys::list(request),
        Operation::CreateKey | Operation::GetKey | Operation::UpdateKey | Operation::RevokeKey => {
            Ok(Work::LookUpKey)
        }

        Operation::PlanRouter | Operation::ExplainRouter | Operation::OpenApi => unserved(request),
    }
}

/// The new document that a request makes of the current one. Pure, validated, and with all faults at once.
///
/// # Errors
/// What is wrong with the request, or with what it would make.
pub fn edited(request: &Request, basis: &Basis<'_>) -> Result<Edited, Error> {
    match request.asked.operation {
        Operation::CreateRouter => routers::created(request),
        Operation::RollBackRouter => routers::rolled_back(request, basis),
        Operation::UpdateRouter => routers::updated(request, basis),
        Operation::PromoteVariant => {
            edit::promoted(request.asked.name(), current(basis)?, &request.json()?, basis.now)
        }
        Operation::RampVariant => {
            edit::ramped(request.asked.name(), current(basis)?, &request.json()?, basis.now)
        }
        Operation::PutGateway
        | Operation::RollBackGateway
        | Operation::AddDownstreams
        | Operation::PutDownstream
        | Operation::DeleteDownstream
        | Operation::AddRules
        | Operation::PutRule
        | Operation::DeleteRule => gateway::edited(request, basis),
        Operation::CreateKey | Operation::UpdateKey | Operation::RevokeKey => keys::edited(request, basis),
        // These change nothing, or are deletions.
        Operation::ListRouters
        | Operation::GetRouter
        | Operation::DeleteRouter
        | Operation::RouterHistory
        | Operation::RouterRevision
        | Operation::PlanRouter
        | Operation::ExplainRouter
        | Operation::GetGateway
        | Operation::GatewayHistory
        | Operation::ListDownstreams
        | Operation::GetDownstream
        | Operation::ListRules
        | Operation::GetRule
        | Operation::ListKeys
        | Operation::GetKey
        | Operation::OpenApi => unserved(request),
    }
}

/// The answer, at `now` (milliseconds since 1970).
///
/// # Errors
/// `NoSuchResource` where what the path names is not in the document.
pub fn shown(request: &Request, shown: &Shown, now: u64) -> Result<Reply, Error> {
    match request.asked.operation {
        Operation::ListRouters
        | Operation::CreateRouter
        | Operation::GetRouter
        | Operation::UpdateRouter
        | Operation::DeleteRouter
        | Operation::RouterHistory
        | Operation::RouterRevision
        | Operation::RollBackRouter
        | Operation::PromoteVariant
        | Operation::RampVariant => routers::shown(request, shown, now),
        Operation::GetGateway
        | Operation::GatewayHistory
        | Operation::PutGateway
        | Operation::RollBackGateway
        | Operation::ListDownstreams
        | Operation::AddDownstreams
        | Operation::GetDownstream
        | Operation::PutDownstream
        | Operation::DeleteDownstream
        | Operation::ListRules
        | Operation::AddRules
        | Operation::GetRule
        | Operation::PutRule
        | Operation::DeleteRule => gateway::shown(request, shown),
        Operation::ListKeys
        | Operation::CreateKey
        | Operation::GetKey
        | Operation::UpdateKey
        | Operation::RevokeKey => keys::shown(request, shown),
        Operation::PlanRouter | Operation::ExplainRouter | Operation::OpenApi => unserved(request),
    }
}

impl Change {
    /// A change of `subject`, under the precondition that header and body state.
    ///
    /// # Errors
    /// `InvalidRequest` where `if-match` cannot be read, or says another etag than the body.
    pub fn of(subject: Subject, way: Way, request: &Request) -> Result<Change, Error> {
        Ok(Change { subject, way, expected: request.expected()? })
    }
}

/// The document that an edit of weights is of.
fn current<'b>(basis: &Basis<'b>) -> Result<&'b [u8], Error> {
    basis.current.ok_or_else(|| {
        let message = "No revision of this router validates, so that there are no weights to set. Send the whole document.";
        Error::new(ErrorKind::Conflict, message)
    })
}

fn unserved<T>(request: &Request) -> Result<T, Error> {
    let message = format!("{:?} is not served yet.", request.asked.operation);
    Err(Error::new(ErrorKind::NotFound, message))
}
