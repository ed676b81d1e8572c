//! What an isolate has measured of the models that it called: plain data, for `sort`.
//!
//! In scope: running figures, newer calls counting more. Out of scope: when they are taken (`edge`), and what is done with them
//! ([`super::order`]). An isolate knows its own calls alone: asking a single place before every call would cost more than what
//! each learns for itself.

use std::collections::HashMap;

use super::order::Metric;

/// How much a new measurement counts against all before: after ten calls, those before them count for a tenth.
const NEWEST: f64 = 0.2;
/// The most models of which figures are kept: 1,024 × 100 B = 100 KiB. Beyond, all are forgotten, and soon had again.
const MOST_MODELS: usize = 1_024;

/// Running figures by target.
#[derive(Debug, Default)]
pub struct Figures(HashMap<String, Figure>);

#[derive(Clone, Copy, Debug, Default)]
struct Figure {
    /// Milliseconds to the first token of a stream.
    latency: Option<f64>,
    /// Tokens a second, once the first has come.
    throughput: Option<f64>,
}

impl Figures {
    /// The first token of a stream came so many milliseconds after the call was sent.
    pub fn first_token(&mut self, target: &str, milliseconds: u64) {
        #[expect(clippy::cast_precision_loss, reason = "at most an hour of milliseconds")]
        let milliseconds = milliseconds as f64;
        let figure = self.of(target);
        figure.latency = Some(moved(figure.latency, milliseconds));
    }

    /// A stream took so many milliseconds for its tokens, after the first.
    pub fn stream(&mut self, target: &str, tokens: u64, milliseconds: u64) {
        if tokens == 0 || milliseconds == 0 {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "tokens of one answer, in at most an hour")]
        let throughput = tokens as f64 * 1000.0 / milliseconds as f64;
        let figure = self.of(target);
        figure.throughput = Some(moved(figure.throughput, throughput));
    }

    /// What is known of a target by a metric.
    pub fn measure(&self, metric: &Metric, target: &str) -> Option<f64> {
        let figure = self.0.get(target)?;
        match metric {
            Metric::Latency => figure.latency,
            Metric::Throughput => figure.throughput,
            Metric::Price | Metric::Other(_) => None,
        }
    }

    fn of(&mut self, target: &str) -> &mut Figure {
        if self.0.len() >= MOST_MODELS && !self.0.contains_key(target) {
            self.0.clear();
        }
        self.0.entry(target.to_owned()).or_default()
    }
}

fn moved(before: Option<f64>, newest: f64) -> f64 {
    before.map_or(newest, |before| before + NEWEST * (newest - before))
}
