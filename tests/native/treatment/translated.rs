//! translated
