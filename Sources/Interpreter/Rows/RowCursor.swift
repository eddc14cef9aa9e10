import Language
import Scheduling
import Threads

/// Takes the rows of a stream one after the other, in order, and has no more of them made than are wanted. One consumer at a time,
/// which closes it when it wants no more.
final class RowCursor: Sendable {
  private struct State {
    /// Away while a row goes through it.
    var tail: OrderedTail?
    var ready: [Value] = []
    var position = 0
    /// How many more the consumer can use, these among them.
    var outer = Int.max
    var number = 0
    var isOver = false

    var wanted: Int { tail?.wanted(for: outer == .max ? .max : max(0, outer - (ready.count - position))) ?? 0 }
  }

  private let stream: RowStream
  private let state: Mutex<State>
  private let program: RowProgram
  /// Nil where no row waits for a model: then each is made when it is asked for.
  private let window: RowWindow?
  private let production: Task<Void, any Error>?
  private let wasCut: Flag

  /// Whether the run was stopped before all that was wanted had come.
  var isCut: Bool { wasCut.isSet && state.withLock { $0.wanted > 0 } }

  /// - Parameters:
  ///   - keepsUnsent: whether a run that is stopped gives a row for each prompt that it did not send.
  ///   - keepsUnjudged: also for one whose answer a filter would have judged.
  ///   - partial: what was taken so far, for `peek`.
  init(
    _ stream: RowStream, named: String?, keepsUnsent: Bool = false, keepsUnjudged: Bool = true,
    partial: @escaping @Sendable () -> [Value] = { [] }
  ) {
    self.stream = stream
    let tail = OrderedTail(stream.tail)
    state = Mutex(State(tail: tail))
    program = RowProgram(stream.stages, stream.context)
    let wasCut = Flag()
    self.wasCut = wasCut
    guard stream.firstModelStage != nil, tail.wanted(for: .max) > 0 else {
      (window, production) = (nil, nil)
      return
    }
    let limiter = stream.context.session.world.engine.limiter
    let job = Mutex<Job?>(nil)
    let window = RowWindow(
      width: { job.withLock { $0 }.map { limiter.standing(of: $0).limit } ?? limiter.inUse }, wanted: tail.wanted(for: .max))
    self.window = window
    production = Task {
      defer { window.finish() }
      try await stream.run(named: named, window, keepsUnsent: keepsUnsent, keepsUnjudged: keepsUnjudged) { begun in
        job.withLock { $0 = begun }
      } finished: { (rows: [Row], place: Int) in
        window.put(rows, place: place)
      } partial: { _ in
        partial()
      } isCut: {
        wasCut.set()
      }
    }
  }

  /// So many more can be of use: no more is made than that.
  func want(_ count: Int) {
    let wanted = state.withLock { state in
      state.outer = count
      return state.wanted
    }
    if wanted > 0 { window?.consumed(0, wanted: wanted) }
  }

  func next() async throws -> Value? {
    while true {
      let value = state.withLock { state -> Value? in
        guard state.position < state.ready.count else { return nil }
        defer { state.position += 1 }
        if state.outer != .max { state.outer -= 1 }
        return state.ready[state.position]
      }
      if let value { return value }
      guard let ready = try await nextOnes() else { return nil }
      state.withLock { ($0.ready, $0.position) = (ready, 0) }
    }
  }

  /// As many as are there, in order; nil at the end.
  func nextOnes() async throws -> [Value]? {
    while true {
      let (isOver, wanted) = state.withLock { ($0.isOver, $0.wanted) }
      if isOver { return nil }
      guard wanted > 0, let rows = try await fetch() else {
        state.withLock { $0.isOver = true }
        try await end()
        return nil
      }
      if stream.tail.isEmpty {
        window?.consumed(rows.count, wanted: state.withLock { $0.wanted })
        if !rows.isEmpty { return rows.map(\.value) }
        continue
      }
      guard var tail = state.withLock({ state in state.tail.take() }) else { return nil }
      var passed: [Value] = []
      do {
        for row in rows { passed += try await tail.pass(row.value) }
      } catch {
        state.withLock { $0.tail = tail }
        throw error
      }
      let left = state.withLock { [tail] state in
        state.tail = tail
        return tail.wanted(for: state.outer == .max ? .max : max(0, state.outer - passed.count))
      }
      if tail.wanted(for: .max) == 0 { window?.close() }
      window?.consumed(rows.count, wanted: left)
      if !passed.isEmpty { return passed }
    }
  }

  private func fetch() async throws -> [Row]? {
    guard let window, let production else { return try await make() }
    return await withTaskCancellationHandler {
      await window.next()
    } onCancel: {
      production.cancel()
    }
  }

  /// The rows of the next item that is not dropped at once.
  private func make() async throws -> [Row]? {
    let (number, wanted) = state.withLock { state in
      defer { state.number += 1 }
      return (state.number, state.wanted)
    }
    if number % 256 == 0 { try Task.checkCancellation() }
    stream.source.want(wanted)
    guard let item = try await stream.source.next() else { return nil }
    return try await program.apply(from: 0, Row(index: number, value: item), stream.context)
  }

  /// What was said to be left out, and what went wrong.
  private func end() async throws {
    let isWhole = state.withLock { $0.wanted > 0 }
    if isWhole { try await production?.value } else { await stopProduction() }
    await stream.source.close()
    try stream.finish()
    try state.withLock { $0.tail }?.finish(stream.context)
  }

  /// Nothing more is wanted: nothing more is sent, and what is under way ends.
  ///
  /// - Returns: what has come of it, and was not taken.
  @discardableResult
  func close() async -> [Value] {
    if state.withLock({ state in
      defer { state.isOver = true }
      return state.isOver
    }) {
      return []
    }
    let rest = await stopProduction()
    await stream.source.close()
    return rest
  }

  @discardableResult
  private func stopProduction() async -> [Value] {
    guard let window, let production else { return [] }
    window.close()
    production.cancel()
    var rest: [Value] = []
    while let rows = await window.next() { rest += rows.map(\.value) }
    _ = await production.result
    return rest
  }
}

/// The rows of a stream as the items of the next: behind a step that goes by their order.
final class StreamSource: ItemSource {
  let stream: RowStream
  private let cursor = Mutex<RowCursor?>(nil)

  init(_ stream: RowStream) {
    self.stream = stream
  }

  private var opened: RowCursor {
    if let cursor = cursor.withLock({ $0 }) { return cursor }
    // Asked by one task at a time: nobody else opens it meanwhile.
    // What it did not send is not answered behind it either, and is not left out.
    let new = RowCursor(stream, named: nil, keepsUnsent: stream.source.isAtHand)
    cursor.withLock { $0 = new }
    return new
  }

  func next() async throws -> Value? { try await opened.next() }
  var isAtHand: Bool { stream.source.isAtHand }
  func want(_ count: Int) { opened.want(count) }
  func close() async { await cursor.withLock { $0 }?.close() }

  var count: Int? {
    guard !stream.stages.contains(where: { $0.mayDrop }), let rows = stream.total else { return nil }
    return stream.tail.reduce(rows as Int?) { count, step in count.flatMap(step.count) }
  }

  /// Behind a stage that makes new values of the items, what they will be is not known yet.
  var visible: [Value]? {
    guard stream.stages.allSatisfy({ $0 is FilterStage }) else { return nil }
    for step in stream.tail { if case .flatten = step { return nil } }
    return stream.source.visible
  }
}

/// Something that happened, once and for all.
private final class Flag: Sendable {
  private let value = Atomic(false)
  var isSet: Bool { value.load(ordering: .acquiring) }
  func set() { value.store(true, ordering: .releasing) }
}
