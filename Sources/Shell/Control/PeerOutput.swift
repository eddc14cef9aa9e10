import Control
import Interpreter
import Scheduling
import Secrets
import Terminal

/// What a line that came through the control socket shows: it goes back there, laid out for the terminal at the other end.
final class PeerOutput: Output {
  private let peer: ControlPeer
  /// Nil where it is no terminal.
  private let columns: Int?

  init(_ peer: ControlPeer, columns: Int?) {
    (self.peer, self.columns) = (peer, columns)
  }

  func show(_ value: Value, options: ShowOptions) throws {
    let form = columns.map { ValueRenderer.Form.terminal(width: $0) } ?? .pipe
    let rendered = ValueRenderer().render(
      value, form: form, showsAll: options.all || columns == nil, columns: columns == nil ? nil : options.columns, whole: options.whole)
    if !rendered.text.isEmpty { try put(rendered.text + "\n") }
    if let problem = rendered.problem { note(problem) }
  }

  func print(_ text: String, raw: Bool) throws { try put(text + "\n") }

  private func put(_ text: String) throws {
    let isKept = peer.send(.out(ControlGuard.clean(text)))
    if !isKept { throw OutputProblem(reason: "this is more than can wait to be read; `| take N` gives less of it") }
  }

  func note(_ text: String) { peer.send(.note(ControlGuard.clean(Redactor.hide(text)))) }

  // Lines that steer start nothing that has a progress or streams.
  func reply(named name: String, of job: Job?, raw: Bool) -> any ReplyOutput { Nowhere() }
  func foreground(_ job: Job, showsProgress: Bool) {}
  func foregroundEnded(_ job: Job, hasRows: Bool) {}
  func finished(_ job: Job) {}
  func board(_ titles: [String], of job: Job?) -> any Board { OrderedBoard(titles, Nowhere()) }
  func live(isOver: @escaping @Sendable () -> Bool, _ sample: @escaping @Sendable () async throws -> Value) async throws {
    try show(try await sample(), options: ShowOptions())
  }

  private struct Nowhere: ReplyOutput {
    func put(_ text: String) {}
    func end() {}
    func note(_ text: String) {}
  }
}
