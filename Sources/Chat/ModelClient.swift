/// Sends one request to whatever serves its model, once.
///
/// It never throws: a failure is a result with a kind. Cancelling the calling task closes the stream at once, since a
/// provider bills what it generates; the attempt then says `cancelled` and keeps the text so far.
public protocol ModelClient: Sendable {
  /// - Parameter feed: receives the text as it arrives; nil where only the whole is wanted.
  func send(_ request: ChatRequest, feed: TokenFeed?) async -> Attempt
}
