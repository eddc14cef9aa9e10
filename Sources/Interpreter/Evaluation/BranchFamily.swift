import Language
import Threads

/// What has branched from one beginning: the first branches (`together`, `race`, `&`) of a statement, or of one of its rows.
///
/// Where a function branches into itself, those branches that end would only make room for more of the kind. So a family that was once
/// refused a branch begins none any more, and everything in it comes to its end; other rows and other statements go on.
final class BranchFamily: Sendable {
  private let isClosed = Atomic(false)
  var mayBranch: Bool { !isClosed.load(ordering: .relaxed) }
  func close() { isClosed.store(true, ordering: .relaxed) }
}

extension Context {
  /// So many branches begin, which `endBranches` takes off again.
  ///
  /// - Returns: the context they run in.
  func branching(_ count: Int, at span: Span) throws -> Context {
    var context = self
    let family = family ?? BranchFamily()
    context.family = family
    if family.mayBranch, session.beginBranches(count) { return context }
    family.close()
    throw error(
      "this has come to more than \(Session.mostBranches) branches at once", at: span,
      help: "a function that calls itself in several branches needs an end; rows of `map` and `each` are begun as there is room")
  }
}
