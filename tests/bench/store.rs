//! First pages with ten sessions and with ten thousand and a gigabyte of transcripts.

use crate::report::Report;

pub(crate) async fn run(_report: &mut Report) {}
