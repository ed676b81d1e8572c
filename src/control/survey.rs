//! A page of the documents of a kind: those that control has, and those that lie in KV and that it has never seen.
//!
//! KV is listed with its metadata, so that only what was edited by hand is read.

use std::collections::BTreeMap;

use super::dispatch::{Document, Listing, Page};
use super::machine::{Desk, Heard, Next, Step, standing_document};
use super::sight::{adopt, seen};
use super::subject::Kind;
use super::{Subject, Who};
use crate::error::Error;

/// 10 pages of 1,000 keys: beyond, each page is an operation that is paid for, and nobody leafs that far.
const MOST_LISTINGS: u32 = 10;
/// Keys that are read for one page: a Worker of the free plan may ask 50 times in all.
const MOST_READINGS: u32 = 30;
/// Bytes of documents after which a page ends: a Durable Object has 128 MB, and an answer is in it several times over.
const MOST_BYTES: usize = 4 << 20;

/// A survey under way.
#[derive(Debug)]
pub(super) struct Survey {
    page: Page,
    /// What control has seen before is not read again.
    is_of_unseen: bool,
    /// Keys in KV, each with the revision that its metadata names.
    keys: BTreeMap<String, Option<u64>>,
    is_whole: bool,
    listings: u32,
    /// What is still to be looked at, in reverse order.
    waiting: Option<Vec<Subject>>,
    reading: Option<Subject>,
    readings: u32,
    /// The last that was looked at.
    last: String,
    found: Vec<Document>,
    /// Of what was found.
    bytes: usize,
}

impl Survey {
    /// Of a page.
    pub(super) fn of(page: Page) -> Survey {
        Survey {
            last: page.after.clone(),
            page,
            is_of_unseen: false,
            keys: BTreeMap::new(),
            is_whole: true,
            listings: 0,
            waiting: None,
            reading: None,
            readings: 0,
            found: Vec::new(),
            bytes: 0,
        }
    }

    /// Of all there are of a kind. Of those that control has seen before, what it saw last: else the same few would be read at
    /// each survey, and those behind them never.
    pub(super) fn whole(kind: Kind) -> Survey {
        let page = Page { kind, after: String::new(), size: u32::MAX };
        Survey { is_of_unseen: true, ..Survey::of(page) }
    }

    /// Goes on, with what was heard of the step before.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn go_on(
        &mut self,
        desk: &mut Desk<'_>,
        who: &Who,
        heard: Heard,
    ) -> Result<Next<Listing>, Error> {
        match heard {
            Heard::Listed(Some(listed)) => {
                self.keys.extend(listed.keys);
                if let Some(cursor) = listed.cursor.filter(|_| self.listings < MOST_LISTINGS) {
                    return Ok(self.list(Some(cursor)));
                }
                self.waiting = Some(self.candidates(desk, who)?);
            }
            Heard::Listed(None) => {
                self.is_whole = false;
                self.waiting = Some(self.candidates(desk, who)?);
            }
            Heard::Read(reading) => {
                if let Some(subject) = self.reading.take() {
                    let sight = seen(desk.store, &subject, reading, desk.now)?;
                    adopt(desk.store, &subject, &sight, desk.now)?;
                    self.take(desk, subject)?;
                }
            }
            Heard::Begun | Heard::Wrote(_) => return Ok(self.list(None)),
        }
        while let Some(subject) = self.waiting.as_mut().and_then(Vec::pop) {
            let is_too_large = !self.is_of_unseen && self.bytes >= MOST_BYTES;
            if is_too_large || self.found.len() >= self.page.size as usize {
                return Ok(Next::Done(self.listing(true)));
            }
            let key = subject.to_string();
            if self.is_whole && !self.is_known(desk, &subject, &key)? {
                if self.readings >= MOST_READINGS {
                    return Ok(Next::Done(self.listing(true)));
                }
                self.readings += 1;
                self.reading = Some(subject);
                return Ok(Next::Do(Step::Read(key)));
            }
            self.take(desk, subject)?;
        }
        Ok(Next::Done(self.listing(false)))
    }

    fn list(&mut self, cursor: Option<String>) -> Next<Listing> {
        self.listings += 1;
        Next::Do(Step::List { prefix: self.page.kind.prefix(), cursor })
    }

    /// What comes after the page before, the last first. Of what control has only as much as can be on this page.
    fn candidates(&self, desk: &Desk<'_>, who: &Who) -> Result<Vec<Subject>, Error> {
        let is_shown = |subject: &Subject| match subject {
            Subject::Router(name) => who.may_name(name),
            Subject::Gateway | Subject::Key(_) => true,
        };
        let mut keys: BTreeMap<String, Subject> = desk
            .store
            .subjects(self.page.kind, &self.page.after)?
            .into_iter()
            .map(|subject| (subject.to_string(), subject))
            .collect();
        let listed = self.keys.keys().filter(|key| **key > self.page.after);
        keys.extend(listed.filter_map(|key| Some((key.clone(), Subject::of_key(key)?))));
        Ok(keys.into_values().rev().filter(is_shown).collect())
    }

    /// Whether KV shows the revision that control has as the newest.
    fn is_known(&self, desk: &Desk<'_>, subject: &Subject, key: &str) -> Result<bool, Error> {
        let newest = desk.store.newest(subject)?;
        if self.is_of_unseen && newest.is_some() {
            return Ok(true);
        }
        let Some(Some(number)) = self.keys.get(key) else { return Ok(false) };
        Ok(newest.is_some_and(|newest| newest.entry.number == *number))
    }

    fn take(&mut self, desk: &Desk<'_>, subject: Subject) -> Result<(), Error> {
        self.last = subject.to_string();
        let document = standing_document(desk.store, &subject)?;
        let valid = document.as_ref().and_then(|document| document.valid.as_ref()?.bytes.as_ref());
        self.bytes = self.bytes.saturating_add(valid.map_or(0, Vec::len));
        self.found.extend(document);
        Ok(())
    }

    fn listing(&mut self, more: bool) -> Listing {
        let next = more.then(|| std::mem::take(&mut self.last));
        Listing { documents: std::mem::take(&mut self.found), next, is_whole: self.is_whole }
    }
}
