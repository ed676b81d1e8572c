//! Anthropic Messages: requests, answers, streams and errors, both ways.

mod answer;
mod client;
mod recordings;
mod request;
mod stream;
mod valid;
