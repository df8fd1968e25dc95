//! Who listens to the page's frames as they cross its socket: nobody, until the event panel is opened for the first time.

use std::{cell::RefCell, rc::Rc};

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the server.
    In,
    /// To the server.
    Out,
}

type Ear = Rc<dyn Fn(Direction, &str)>;

thread_local! {
    static EAR: RefCell<Option<Ear>> = const { RefCell::new(None) };
}

/// Has a function hear every frame from now on, in the place of the one before.
pub(crate) fn listen(ear: impl Fn(Direction, &str) + 'static) {
    EAR.set(Some(Rc::new(ear)));
}

/// A frame crosses the socket.
#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
pub(crate) fn crosses(direction: Direction, text: &str) {
    let ear = EAR.with_borrow(Clone::clone);
    if let Some(ear) = ear {
        ear(direction, text);
    }
}
