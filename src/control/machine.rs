//! What control does, as a state machine without IO: each [`Step`] is done by the Durable Object, which then says what it
//! [`Heard`].
//!
//! 1. KV is read, and what was changed there by hand is adopted.
//! 2. What is asked for is looked up; or the edit is made of the head, checked, and committed with its history and outbox.
//! 3. KV is written (`super::delivery`).
//! 4. The answer.
//!
//! Between hearing and the next step nothing waits, so whatever one step reads and writes in the store is one piece: changes
//! of a document follow one another, however their readings and writings of KV interleave.

use super::delivery::{Delivery, SAFETY_MS};
use super::dispatch::{self, Basis, Change, Document, Listing, Shown, Way, Work};
use super::kv::{Listed, Reading};
use super::sight::{Sight, adopt, seen};
use super::store::{Commit, Digest, Entry, Origin, Outbox, Revision, Standing, Store};
use super::subject::Kind;
use super::survey::Survey;
use super::{Reply, Request, Subject, keys, store};
use crate::auth::KeyRecord;
use crate::error::{Error, ErrorKind};

pub use super::delivery::Running;

/// What the Durable Object is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read a key of KV, with its metadata: [`Heard::Read`].
    Read(String),
    /// List keys of KV, with their metadata: [`Heard::Listed`].
    List {
        /// Those that begin so.
        prefix: &'static str,
        /// Where the page before ended.
        cursor: Option<String>,
    },
    /// Write a key of KV: [`Heard::Wrote`].
    Write {
        /// The key.
        key: String,
        /// Its value.
        bytes: Vec<u8>,
        /// What lies beside it, as JSON.
        metadata: String,
    },
    /// Delete a key of KV: [`Heard::Wrote`].
    Delete(String),
    /// Answer; it is over.
    Reply(Result<Reply, Error>),
    /// A sweep is over.
    Rest,
}

/// What the Durable Object says of the step before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// There was none.
    Begun,
    /// What was read.
    Read(Reading),
    /// What was listed; `None` where KV failed.
    Listed(Option<Listed>),
    /// Whether KV has acknowledged it.
    Wrote(bool),
}

/// What a part of a task says: a step, or its result.
#[derive(Debug)]
pub(super) enum Next<T> {
    /// To be done.
    Do(Step),
    /// The part is over.
    Done(T),
}

/// What a task works with.
#[derive(Debug)]
pub struct Desk<'d> {
    /// What control remembers.
    pub store: &'d mut dyn Store,
    /// The deliveries that run here.
    pub running: &'d mut Running,
    /// Milliseconds since 1970.
    pub now: u64,
}

/// A request to be answered, or a sweep of the outbox.
#[derive(Debug)]
pub struct Task {
    state: State,
}

#[derive(Debug)]
enum State {
    /// To be begun.
    Asked(Box<Request>),
    /// Waits for what KV shows of the document.
    Looking(Box<Request>, Work),
    /// Lists documents.
    Listing(Box<Request>, Survey),
    /// Surveys the client keys, for one is named by its id.
    Keys(Box<Request>, Survey),
    /// Looks for keys that a router to be deleted is named by.
    Users(Box<Request>, Change, Survey),
    /// Brings a change to KV. What it made is what is answered, whatever others make of the document meanwhile.
    Delivering(Box<Request>, Subject, Box<Shown>, Delivery),
    /// Brings to KV what is due.
    Sweeping(Vec<Subject>, Option<Delivery>),
    Over,
}

/// Documents whose outbox one alarm empties: three operations each, of the 50 that a Worker of the free plan has.
const MOST_SWEPT: u32 = 12;
/// Revisions that are looked through for one that validates.
const MOST_INVALID: u32 = 32;

impl Task {
    /// A request that was let in.
    pub fn request(request: Request) -> Task {
        Task { state: State::Asked(Box::new(request)) }
    }

    /// The alarm: what is due in the outbox.
    pub fn sweep() -> Task {
        Task { state: State::Sweeping(Vec::new(), None) }
    }

    /// The next step, after what was heard of the one before.
    pub fn step(&mut self, desk: &mut Desk<'_>, heard: Heard) -> Step {
        let is_sweep = matches!(self.state, State::Sweeping(..));
        self.advanced(desk, heard).unwrap_or_else(|error| {
            self.state = State::Over;
            if is_sweep { Step::Rest } else { Step::Reply(Err(error)) }
        })
    }

    fn advanced(&mut self, desk: &mut Desk<'_>, heard: Heard) -> Result<Step, Error> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Asked(request) => self.begun(desk, request),
            State::Looking(request, work) => {
                let Heard::Read(reading) = heard else { return Err(out_of_step()) };
                self.looked(desk, request, work, reading)
            }
            State::Listing(request, mut survey) => match survey.go_on(desk, &request.envelope.who, heard)? {
                Next::Do(step) => self.wait(State::Listing(request, survey), step),
                Next::Done(listing) => answer(desk.now, &request, &Shown::Documents(listing)),
            },
            State::Users(request, change, mut survey) => {
                match survey.go_on(desk, &request.envelope.who, heard)? {
                    Next::Do(step) => self.wait(State::Users(request, change, survey), step),
                    Next::Done(listing) => {
                        unused(&change.subject, &listing)?;
                        self.look(request, Work::Change(change))
                    }
                }
            }
            State::Keys(request, survey) => self.surveyed(desk, request, survey, heard),
            State::Delivering(request, subject, made, mut delivery) => match delivery.go_on(desk, heard)? {
                Next::Do(step) => self.wait(State::Delivering(request, subject, made, delivery), step),
                Next::Done(_) => answer(desk.now, &request, &delivered(desk.store, &subject, *made)?),
            },
            State::Sweeping(due, delivery) => self.swept(desk, due, delivery, heard),
            State::Over => Err(out_of_step()),
        }
    }

    fn wait(&mut self, state: State, step: Step) -> Result<Step, Error> {
        self.state = state;
        Ok(step)
    }

    fn begun(&mut self, desk: &mut Desk<'_>, request: Box<Request>) -> Result<Step, Error> {
        match dispatch::work(&request)? {
            Work::List(page) => {
                let mut survey = Survey::of(page);
                match survey.go_on(desk, &request.envelope.who, Heard::Begun)? {
                    Next::Do(step) => self.wait(State::Listing(request, survey), step),
                    Next::Done(listing) => answer(desk.now, &request, &Shown::Documents(listing)),
                }
            }
            Work::Change(change)
                if change.way == Way::Delete && matches!(change.subject, Subject::Router(_)) =>
            {
                if request.flag("force")? {
                    return self.look(request, Work::Change(change));
                }
                let mut survey = Survey::whole(Kind::Keys);
                match survey.go_on(desk, &request.envelope.who, Heard::Begun)? {
                    Next::Do(step) => self.wait(State::Users(request, change, survey), step),
                    Next::Done(_) => Err(out_of_step()),
                }
            }
            Work::LookUpKey => match keys::remembered(desk.store, &request)? {
                Some(work) => self.look(request, work),
                None => self.surveyed(desk, request, Survey::whole(Kind::Keys), Heard::Begun),
            },
            work @ (Work::Show(_) | Work::History(..) | Work::Revision(..) | Work::Change(_)) => {
                self.look(request, work)
            }
        }
    }

    fn surveyed(
        &mut self,
        desk: &mut Desk<'_>,
        request: Box<Request>,
        mut survey: Survey,
        heard: Heard,
    ) -> Result<Step, Error> {
        match survey.go_on(desk, &request.envelope.who, heard)? {
            Next::Do(step) => self.wait(State::Keys(request, survey), step),
            Next::Done(listing) => {
                let work = keys::surveyed(&request, &listing, desk.now)?;
                self.look(request, work)
            }
        }
    }

    fn look(&mut self, request: Box<Request>, work: Work) -> Result<Step, Error> {
        let (Work::Show(subject)
        | Work::History(subject, _)
        | Work::Revision(subject, _)
        | Work::Change(Change { subject, .. })) = &work
        else {
            return Err(out_of_step());
        };
        let step = Step::Read(subject.to_string());
        self.wait(State::Looking(request, work), step)
    }

    fn looked(
        &mut self,
        desk: &mut Desk<'_>,
        request: Box<Request>,
        work: Work,
        reading: Reading,
    ) -> Result<Step, Error> {
        match work {
            Work::Show(subject) => {
                saw(desk, &subject, reading)?;
                let shown = match standing_document(desk.store, &subject)? {
                    Some(document) => Shown::Document(Box::new(document)),
                    None => Shown::Absent(subject),
                };
                answer(desk.now, &request, &shown)
            }
            Work::History(subject, page) => {
                saw(desk, &subject, reading)?;
                let mut entries = desk.store.history(&subject, page.before, page.size.saturating_add(1))?;
                let more = entries.len() > page.size as usize;
                entries.truncate(page.size as usize);
                let is_known = desk.store.newest(&subject)?.is_some();
                let shown = if is_known { Shown::History(entries, more) } else { Shown::Absent(subject) };
                answer(desk.now, &request, &shown)
            }
            Work::Revision(subject, number) => {
                saw(desk, &subject, reading)?;
                answer(desk.now, &request, &Shown::Revision(revision(desk.store, &subject, number)?))
            }
            Work::Change(change) => {
                let sight = saw(desk, &change.subject, reading)?;
                let subject = change.subject.clone();
                if !changed(desk, &request, &change)? {
                    return answer(desk.now, &request, &after(desk.store, &subject)?);
                }
                let made = Box::new(after(desk.store, &subject)?);
                let mut delivery = Delivery::of(subject.clone(), sight != Sight::Unknown);
                match delivery.go_on(desk, Heard::Begun)? {
                    Next::Do(step) => self.wait(State::Delivering(request, subject, made, delivery), step),
                    Next::Done(_) => answer(desk.now, &request, &delivered(desk.store, &subject, *made)?),
                }
            }
            Work::List(_) | Work::LookUpKey => Err(out_of_step()),
        }
    }

    fn swept(
        &mut self,
        desk: &mut Desk<'_>,
        mut due: Vec<Subject>,
        delivery: Option<Delivery>,
        heard: Heard,
    ) -> Result<Step, Error> {
        let mut heard = heard;
        let mut delivery = match delivery {
            Some(delivery) => Some(delivery),
            None => {
                due = desk.store.due(desk.now, MOST_SWEPT)?;
                due.reverse();
                None
            }
        };
        loop {
            let Some(mut current) = delivery.or_else(|| Some(Delivery::of(due.pop()?, false))) else {
                return Ok(Step::Rest);
            };
            match current.go_on(desk, heard)? {
                Next::Do(step) => return self.wait(State::Sweeping(due, Some(current)), step),
                Next::Done(_) => {
                    delivery = None;
                    heard = Heard::Begun;
                }
            }
        }
    }
}

/// Takes in a reading of a document's key. What control has is shown and changed also while KV fails; what it has never
/// seen may lie there, and cannot be.
fn saw(desk: &mut Desk<'_>, subject: &Subject, reading: Reading) -> Result<Sight, Error> {
    let sight = seen(desk.store, subject, reading, desk.now)?;
    adopt(desk.store, subject, &sight, desk.now)?;
    if sight == Sight::Unknown && desk.store.newest(subject)?.is_none() {
        let message = format!(
            "KV could not be read just now, and whether {} is there is not known otherwise; try again.",
            subject.title()
        );
        return Err(Error::new(ErrorKind::ControlUnavailable, message));
    }
    Ok(sight)
}

/// Makes the change, unless it changes nothing; whether it did.
fn changed(desk: &mut Desk<'_>, request: &Request, change: &Change) -> Result<bool, Error> {
    let Change { subject, way, expected } = change;
    let newest = desk.store.newest(subject)?;
    let document = standing_document(desk.store, subject)?;
    allowed(change, newest.as_ref(), document.as_ref())?;
    check_etag(subject, expected.as_deref(), newest.as_ref())?;
    let (bytes, summary) = match way {
        Way::Delete => {
            let valid = document.as_ref().and_then(|document| document.valid.as_ref()?.bytes.as_deref());
            if let (Subject::Router(name), Some(valid), false) = (subject, valid, request.flag("force")?) {
                super::routers::check_ramps(name, valid, desk.now)?;
            }
            (None, "deleted".to_owned())
        }
        Way::Make | Way::Edit | Way::Put | Way::RollBack(_) => {
            let earlier = match way {
                Way::RollBack(number) => Some(revision(desk.store, subject, *number)?),
                Way::Make | Way::Edit | Way::Put | Way::Delete => None,
            };
            let valid = document.as_ref().and_then(|document| document.valid.as_ref());
            // A document of which no version validates is edited as if it were empty: what comes of it is checked.
            let current =
                document.as_ref().map(|_| valid.and_then(|valid| valid.bytes.as_deref()).unwrap_or(b"{}"));
            let earlier = earlier.as_ref().and_then(|earlier| earlier.bytes.as_deref());
            let ids = match (way, subject) {
                (Way::Make, Subject::Key(_)) => keys::ids(desk.store)?,
                _ => Vec::new(),
            };
            let edited = dispatch::edited(request, &Basis { current, earlier, ids: &ids, now: desk.now })?;
            // Nothing is ever saved that the call path would refuse, whatever an edit may have overlooked.
            subject.check(&edited.bytes).map_err(Error::document)?;
            (Some(edited.bytes), edited.summary)
        }
    };
    if let (Some(newest), Some(_)) = (&newest, &document)
        && newest.bytes == bytes
    {
        return Ok(false);
    }
    let before = desk.store.standing(subject)?;
    let entry = Entry {
        number: newest.as_ref().map_or(1, |newest| newest.entry.number.saturating_add(1)),
        digest: bytes.as_deref().map(Digest::of),
        size: bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
        // The clock of another machine may have been ahead.
        time: newest.map_or(desk.now, |newest| newest.entry.time.max(desk.now)),
        author: request.envelope.who.author(),
        summary,
        origin: Origin::Api,
    };
    let created = if document.is_some() { before.created } else { desk.now };
    let outbox = Outbox { task: store::Task::Write, attempts: 0, due: desk.now.saturating_add(SAFETY_MS) };
    let standing = Standing { created, written: before.written, outbox: Some(outbox) };
    desk.store.commit(&Commit { subject: subject.clone(), revision: Revision { entry, bytes }, standing })?;
    Ok(true)
}

/// Whether a document may be changed in that way: it must be there, or must not be.
fn allowed(change: &Change, newest: Option<&Revision>, document: Option<&Document>) -> Result<(), Error> {
    let subject = &change.subject;
    match change.way {
        Way::Make if document.is_some() => {
            let message = format!("There is {} already; change it, or choose another name.", subject.title());
            Err(Error { param: Some("name".to_owned()), ..Error::new(ErrorKind::AlreadyExists, message) })
        }
        Way::Edit | Way::Delete if document.is_none() => Err(absent(subject)),
        Way::RollBack(_) if newest.is_none() => Err(absent(subject)),
        Way::Make | Way::Edit | Way::Put | Way::Delete | Way::RollBack(_) => Ok(()),
    }
}

/// Whether the state that the caller has seen is still the newest.
fn check_etag(subject: &Subject, expected: Option<&str>, newest: Option<&Revision>) -> Result<(), Error> {
    let Some(expected) = expected else { return Ok(()) };
    let newest = newest.map(|newest| (newest.entry.etag(), newest));
    let message = match newest {
        Some((etag, _)) if expected == etag => return Ok(()),
        Some((_, newest)) if expected == "*" && newest.bytes.is_some() => return Ok(()),
        Some((etag, newest)) => format!(
            "Somebody has changed {} since: you have seen '{expected}', the newest is '{etag}' ({}). Get it, and make your \
             change again.",
            subject.title(),
            newest.entry.summary
        ),
        None => format!(
            "There is no {} yet, so it has no etag; leave it out.",
            subject.title().trim_start_matches("the ")
        ),
    };
    Err(Error { param: Some("etag".to_owned()), ..Error::new(ErrorKind::EtagMismatch, message) })
}

/// A router that a key is limited to is in use.
fn unused(subject: &Subject, keys: &Listing) -> Result<(), Error> {
    let Subject::Router(name) = subject else { return Ok(()) };
    if keys.next.is_some() {
        let message = "Not all client keys could be looked at for one that is limited to this router. Try again: each time more of \
                       them are known. Or delete with `?force=true`.";
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    let users = keys.documents.iter().filter_map(|key| {
        let record = KeyRecord::parse(key.valid.as_ref()?.bytes.as_deref()?).ok()?;
        let is_limited = record.routers.as_ref().is_some_and(|routers| routers.contains(name));
        (is_limited && !record.revoked).then_some(record.id)
    });
    let users: Vec<String> = users.take(4).collect();
    if users.is_empty() {
        return Ok(());
    }
    let message = format!(
        "Client keys are limited to {}: {}. Change or revoke them first, or delete with `?force=true`.",
        subject.title(),
        users.join(", ")
    );
    Err(Error::new(ErrorKind::Conflict, message))
}

fn absent(subject: &Subject) -> Error {
    match subject {
        Subject::Router(name) => super::routers::absent(name),
        Subject::Gateway | Subject::Key(_) => {
            let message = format!("There is no {}.", subject.title().trim_start_matches("the "));
            Error::new(ErrorKind::NoSuchResource, message)
        }
    }
}

fn revision(store: &dyn Store, subject: &Subject, number: u64) -> Result<Revision, Error> {
    if store.newest(subject)?.is_none() {
        return Err(absent(subject));
    }
    store.revision(subject, number)?.ok_or_else(|| {
        let message =
            format!("There is no revision {number} of {}; its history lists them.", subject.title());
        Error { param: Some("revision".to_owned()), ..Error::new(ErrorKind::NoSuchResource, message) }
    })
}

/// A document as it stands; `None` where there is none, or no more.
pub(super) fn standing_document(store: &dyn Store, subject: &Subject) -> Result<Option<Document>, Error> {
    let Some(newest) = store.newest(subject)? else { return Ok(None) };
    let Some(bytes) = &newest.bytes else { return Ok(None) };
    let standing = store.standing(subject)?;
    let (subject_of, entry) = (subject.clone(), newest.entry.clone());
    let (valid, faults, warnings) = match subject.check(bytes) {
        Ok(warnings) => (Some(newest), Vec::new(), warnings),
        Err(faults) => {
            let valid = earlier_valid(store, subject, entry.number)?;
            let warnings = valid.as_ref().and_then(|valid| subject.check(valid.bytes.as_deref()?).ok());
            (valid, faults, warnings.unwrap_or_default())
        }
    };
    Ok(Some(Document { subject: subject_of, valid, newest: entry, faults, warnings, standing }))
}

/// The newest revision below a number that validates; a deletion ends the search.
fn earlier_valid(store: &dyn Store, subject: &Subject, before: u64) -> Result<Option<Revision>, Error> {
    Ok(earlier_good(store, subject, before)?.filter(|revision| revision.bytes.is_some()))
}

/// The newest revision below a number that validates or is a deletion: what the last good copy is to be, where the newest of
/// all does not validate.
pub(super) fn earlier_good(
    store: &dyn Store,
    subject: &Subject,
    before: u64,
) -> Result<Option<Revision>, Error> {
    for entry in store.history(subject, before, MOST_INVALID)? {
        let Some(revision) = store.revision(subject, entry.number)? else { continue };
        if revision.bytes.as_ref().is_none_or(|bytes| subject.check(bytes).is_ok()) {
            return Ok(Some(revision));
        }
    }
    Ok(None)
}

/// What a change has left.
fn after(store: &dyn Store, subject: &Subject) -> Result<Shown, Error> {
    if let Some(document) = standing_document(store, subject)? {
        return Ok(Shown::Document(Box::new(document)));
    }
    let newest = store.newest(subject)?;
    Ok(newest.map_or_else(|| Shown::Absent(subject.clone()), |newest| Shown::Deleted(newest.entry)))
}

/// What a change has made, with what is known by now of whether KV has it. An etag of somebody else's later change would let
/// the caller write over what they have not seen.
fn delivered(store: &dyn Store, subject: &Subject, made: Shown) -> Result<Shown, Error> {
    Ok(match made {
        Shown::Document(mut document) => {
            document.standing = Standing { created: document.standing.created, ..store.standing(subject)? };
            Shown::Document(document)
        }
        other => other,
    })
}

fn answer(now: u64, request: &Request, shown: &Shown) -> Result<Step, Error> {
    dispatch::shown(request, shown, now).map(|reply| Step::Reply(Ok(reply)))
}

/// The Durable Object said something else than what was asked: a mistake of ours, and no panic.
fn out_of_step() -> Error {
    Error::new(
        ErrorKind::ControlUnavailable,
        "Control lost its thread; this is a mistake of Turnout's. Try again.",
    )
}
