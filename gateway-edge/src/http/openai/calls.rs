//! The calls of tools in an answer, as their pieces come.

use super::turn::CallPiece;

/// One call so far.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

/// All of them, in the order in which the model numbers them.
#[derive(Debug, Default, Clone)]
pub(super) struct Calls(Vec<Call>);

impl Calls {
    pub(super) fn take(&mut self, piece: &CallPiece) {
        let CallPiece {
            index,
            id,
            name,
            arguments,
        } = piece;
        // The agent service numbers them without a gap.
        let index = (*index).min(self.0.len());
        if index == self.0.len() {
            self.0.push(Call::default());
        }
        if let Some(call) = self.0.get_mut(index) {
            call.id.push_str(id.as_deref().unwrap_or_default());
            call.name.push_str(name.as_deref().unwrap_or_default());
            call.arguments.push_str(arguments);
        }
    }

    pub(super) fn is_there(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn each(&self) -> impl Iterator<Item = &Call> {
        self.0.iter()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Call> {
        self.0.get(index)
    }
}
