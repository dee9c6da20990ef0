//! Where an answer passes by on its way to the client: its head before the filters, its body after they have agreed.

use super::capture::Capture;
use super::question::Question;
use crate::forward::{Call, Parties, Responder, forward};
use std::task::{Context, Poll};
use std::time::Duration;
use torana_fault::Fault;
use torana_filter::{Attempt, Exchange};
use torana_http::h1::BodyFraming;
use torana_http::{Fields, ResponseHead};
use torana_transport::{BodySink, RequestBody, ResponseSink};

impl Question<'_> {
    /// As [`forward`], and learns from the answer.
    pub(crate) async fn forward<B: RequestBody, S: ResponseSink, R: Responder>(
        &self,
        call: &Call<'_>,
        parties: Parties<'_, '_, B, S, R>,
    ) -> Result<(), Fault> {
        let capture = Capture::new(self);
        let mut response = Copying { sink: parties.response, capture: &capture };
        let mut responder = Watching { responder: parties.responder, capture: &capture };
        let Parties { exchange, body, .. } = parties;
        forward(call, Parties { exchange, body, response: &mut response, responder: &mut responder }).await
    }
}

/// A responder; the capture sees heads before it.
struct Watching<'a, 'q, R> {
    responder: &'a mut R,
    capture: &'a Capture<'q>,
}

impl<R: Responder> Responder for Watching<'_, '_, R> {
    fn on_attempt(&mut self, exchange: &mut Exchange, attempt: &Attempt<'_>) -> Result<(), Fault> {
        self.responder.on_attempt(exchange, attempt)
    }

    fn on_taken(&mut self, endpoint: usize) {
        self.responder.on_taken(endpoint);
    }

    fn on_first_byte(&mut self, latency: Duration) {
        self.responder.on_first_byte(latency);
    }

    fn on_taken_back(&mut self) {
        self.capture.taken_back();
        self.responder.on_taken_back();
    }

    fn on_switch(&mut self) {
        self.responder.on_switch();
    }

    async fn on_response(&mut self, exchange: &mut Exchange, head: &mut ResponseHead) -> Result<(), Fault> {
        self.capture.head(exchange, head);
        self.responder.on_response(exchange, head).await
    }
}

/// A sink; the capture gets what has gone into it.
struct Copying<'a, 'q, S> {
    sink: &'a mut S,
    capture: &'a Capture<'q>,
}

impl<S: ResponseSink> ResponseSink for Copying<'_, '_, S> {
    fn start(&mut self, head: &ResponseHead, framing: BodyFraming, close: bool) {
        self.sink.start(head, framing, close);
    }

    fn interim(&mut self, head: &ResponseHead) {
        self.sink.interim(head);
    }

    fn switch(&mut self, head: &ResponseHead, protocol: &str) {
        self.sink.switch(head, protocol);
    }

    fn part(&mut self) {
        self.sink.part();
    }

    fn wants_body(&self) -> bool {
        self.sink.wants_body()
    }

    fn is_started(&self) -> bool {
        self.sink.is_started()
    }

    fn take_back(&mut self) -> bool {
        self.sink.take_back()
    }

    fn bytes_sent(&self) -> u64 {
        self.sink.bytes_sent()
    }
}

impl<S: ResponseSink> BodySink for Copying<'_, '_, S> {
    /// Data that is not taken whole at once is offered again, so it is copied when it is taken.
    fn poll_write(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<Result<(), Fault>> {
        let written = self.sink.poll_write(context, data);
        if matches!(written, Poll::Ready(Ok(()))) {
            self.capture.data(data);
        }
        written
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.sink.poll_flush(context)
    }

    fn finish(&mut self, trailers: &Fields) -> Result<(), Fault> {
        self.sink.finish(trailers)?;
        self.capture.end(!trailers.is_empty());
        Ok(())
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.sink.poll_shutdown(context)
    }
}
