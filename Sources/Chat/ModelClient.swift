/// Sends one request to whatever serves its model, once.
///
/// It never throws: a failure is a result with a kind. Cancelling the calling task closes the stream at once, since a
/// provider bills what it generates; the attempt then says `cancelled` and keeps the text so far.
public protocol ModelClient: Sendable {
  /// - Parameters:
  ///   - feed: receives the text as it arrives; nil where only the whole is wanted.
  ///   - activity: told whenever something of the answer comes.
  func send(_ request: ChatRequest, feed: TokenFeed?, activity: ReplyActivity?) async -> Attempt
}
