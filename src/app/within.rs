//! Work with a time limit, in the browser.

use std::{
    cell::Cell,
    future::poll_fn,
    pin::pin,
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

use leptos::prelude::set_timeout_with_handle;

/// What the work came to, unless it takes too long: then it is dropped, which also takes its request back.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let late = Rc::new(Cell::new(false));
    let waker = Rc::new(Cell::new(None::<Waker>));
    let ring = {
        let (late, waker) = (Rc::clone(&late), Rc::clone(&waker));
        move || {
            late.set(true);
            if let Some(waker) = waker.take() {
                waker.wake();
            }
        }
    };
    let timer = set_timeout_with_handle(ring, limit).ok();
    let mut work = pin!(work);
    let outcome = poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending if late.get() => Poll::Ready(None),
        Poll::Pending => {
            waker.set(Some(context.waker().clone()));
            Poll::Pending
        }
    })
    .await;
    if let Some(timer) = timer {
        timer.clear();
    }
    outcome
}
