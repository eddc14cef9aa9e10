import Threads

/// Counts how often something of an answer came, over all calls that share it: that a server is answering can be told long before
/// the first of its answers has ended.
public final class ReplyActivity: Sendable {
  private let noted = Atomic(0)
  /// What counts with it: of all calls to a model, where this is one call's.
  private let outer: ReplyActivity?

  public init(within outer: ReplyActivity? = nil) {
    self.outer = outer
  }

  public var count: Int { noted.load(ordering: .relaxed) }

  /// Text, reasoning, or whatever else is part of an answer has come: comments and heads are not.
  public func note() {
    noted.wrappingAdd(1, ordering: .relaxed)
    outer?.note()
  }
}
