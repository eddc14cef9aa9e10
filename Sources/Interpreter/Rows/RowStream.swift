import Chat
import Language
import Scheduling
import Threads

/// Rows that have not been fetched yet, and what is to happen to each. Stages are added as the pipeline is read; nothing runs until
/// somebody asks for the rows.
///
/// Without models in it, it is a loop. With models, one producer begins the rows, in order, and makes a task for each only then: a
/// million rows are never a million tasks.
struct RowStream: Sendable {
  let source: any ItemSource
  var stages: [any RowStage] = []
  /// Steps behind the stages that go by the order of the rows. A stage behind them begins a stream of its own, fed by this one.
  var tail: [OrderedStep] = []
  /// As it was when the statement was launched.
  let context: Context

  init(source: any ItemSource, stages: [any RowStage] = [], context: Context) {
    self.source = source
    self.stages = stages
    var context = context.launched
    context.invariants = Invariants()
    self.context = context
  }

  func adding(_ stage: any RowStage) -> RowStream {
    guard tail.isEmpty else { return RowStream(source: StreamSource(self), stages: [stage], context: context) }
    var copy = self
    copy.stages.append(stage)
    return copy
  }

  func adding(_ step: OrderedStep) -> RowStream {
    var copy = self
    copy.tail.append(step)
    return copy
  }

  var firstModelStage: Int? { stages.firstIndex { $0.callsModels } }

  // MARK: taking the rows

  /// All rows as a list, in order. A cancelled run gives what had finished.
  func collect(named: String?) async throws -> [Value] {
    try await check()
    if tail.isEmpty { return paid(try await collected(named: named).map(\.value)) }
    let taken = Mutex<[Value]>([])
    let cursor = RowCursor(self, named: named, keepsUnsent: true) { taken.withLock { $0 } }
    do {
      while let values = try await cursor.nextOnes() { taken.withLock { $0 += values } }
    } catch {
      await cursor.close()
      keep(taken.withLock { $0 }, named, error)
      throw error
    }
    return paid(taken.withLock { $0 })
  }

  /// The same, each with its place. For streams without ordered steps.
  func collectRows(named: String?) async throws -> [Row] {
    try await check()
    return try await collected(named: named)
  }

  private func collected(named: String?) async throws -> [Row] {
    let rows = Mutex<[(place: Int, rows: [Row])]>([])
    @Sendable func byPlace() -> [(place: Int, rows: [Row])] {
      var all = rows.withLock { $0 }
      // Rows mostly finish nearly in order; sorting what is sorted is cheap.
      if !zip(all, all.dropFirst()).allSatisfy({ $0.place <= $1.place }) { all.sort { $0.place < $1.place } }
      return all
    }
    @Sendable func inOrder() -> [Row] { byPlace().flatMap(\.rows) }
    do {
      try await run(named: named, nil, keepsUnsent: true) { _ in
      } finished: { (finished: [Row], place: Int) in
        rows.withLock { $0.append((place, finished)) }
      } partial: { isPrefix in
        let all = byPlace()
        let known = isPrefix ? all[..<(zip(all.indices, all).first { $0 != $1.place }?.0 ?? all.endIndex)] : all[...]
        let rows = known.flatMap(\.rows).map(\.value)
        return rows.isEmpty ? held : rows
      }
      await source.close()
      try finish()
    } catch {
      await source.close()
      keep(inOrder().map(\.value), named, error)
      throw error
    }
    return inOrder()
  }

  /// What came of the rows was paid for, whatever is wrong with a rule among the stages.
  private func keep(_ values: [Value], _ named: String?, _ error: any Error) {
    if firstModelStage != nil { context.keepPaid(held.isEmpty ? values : held, named, error) }
  }

  /// The same for whoever takes the rows and may fail with them.
  private func paid(_ values: [Value]) -> [Value] {
    if firstModelStage != nil {
      context.paid?.set(values)
      context.session.underWay.note("rows", values)
      // They may wait in a sort for the model behind it.
      if context.row == nil, let hand = context.inHand { hand.hold(.list(values)) }
    }
    return values
  }

  /// The rows that came to a stage which breaks on all of them.
  private var held: [Value] { stages.lazy.map(\.held).first { !$0.isEmpty } ?? [] }

  /// Hands every row to `body`, in order, holding only a window of them in memory.
  ///
  /// - Parameters:
  ///   - keepsUnsent: whether a run that is stopped hands on a row for each prompt that it did not send, as far as its items are at hand.
  ///   - left: told of the rows that had come and were not handed on, where that ended with an error.
  /// - Returns: whether every row has come: false where the run was stopped with rows left.
  @discardableResult
  func forEach(
    named: String?, keepsUnsent: Bool = false, left: ([Value]) -> Void = { _ in }, _ body: (Value) async throws -> Void
  ) async throws -> Bool {
    try await check()
    // Whoever takes the rows as they come takes what has passed his filters.
    let cursor = RowCursor(self, named: named, keepsUnsent: keepsUnsent && source.isAtHand, keepsUnjudged: false)
    var taken: ArraySlice<Value> = []
    do {
      while let values = try await cursor.nextOnes() {
        taken = values[...]
        while let value = taken.popFirst() { try await body(value) }
      }
      return !cursor.isCut
    } catch {
      // Whoever takes the rows cannot go on (a full disk, say): nothing more is sent.
      var rest = Array(taken)
      // What is there already comes at once.
      if source is ListSource, firstModelStage == nil { while let values = try? await cursor.nextOnes() { rest += values } }
      rest += await cursor.close()
      left(held.isEmpty ? rest : held)
      throw error
    }
  }

  /// Whether its rows, or those that feed it, are asked of models as they are taken.
  var asksModels: Bool { firstModelStage != nil || (source as? StreamSource)?.stream.asksModels ?? false }

  /// What is wrong with the items that are there already, before anything is sent.
  private func check() async throws {
    if let rows = source as? StreamSource { try await rows.stream.check() }
    var visible = source.visible ?? []
    for stage in stages {
      try await stage.check(visible, context)
      // Behind a stage that makes new values of the items, what they will be is not known yet.
      if stage.callsModels || !(stage is FilterStage) { visible = [] }
    }
  }

  /// Each stage says what it left out.
  func finish() throws { for stage in stages { try stage.finish(context) } }

  // MARK: running

  /// - Parameters:
  ///   - begun: told whose calls they are, before the first.
  ///   - finished: takes each row's rows with its place, as soon as they are done, from any thread.
  ///   - isCut: told where the run was stopped with rows left.
  func run(
    named: String?, _ window: RowWindow?, keepsUnsent: Bool, keepsUnjudged: Bool = true, _ begun: (Job) -> Void,
    finished: @escaping @Sendable ([Row], Int) -> Void, partial: @escaping @Sendable (Bool) -> [Value],
    isCut: @escaping @Sendable () -> Void = {}
  ) async throws {
    guard let first = firstModelStage else {
      let program = RowProgram(stages, context)
      var number = 0
      while let item = try await source.next() {
        if number % 256 == 0 { try Task.checkCancellation() }
        finished(try await program.apply(from: 0, Row(index: number, value: item), context), number)
        number += 1
      }
      return
    }
    let scope = JobScope(context, named ?? stages[first].word, variable: named, total: total, hasRows: true)
    begun(scope.job)
    scope.begin(partial: partial)
    defer { scope.end() }
    let launch = RowLaunch(
      self, from: first, scope, window, keepsUnsent: keepsUnsent, keepsUnjudged: keepsUnjudged && keepsUnsent, finished, isCut)
    // The work is a task of its own, so that a key or `cancel` can end it and what finished is still taken.
    let work = Task<(any Error)?, Never>(executorPreference: stages.allSatisfy(\.isLight) ? context.session.world.executor : nil) {
      await launch.run()
    }
    scope.onCancel { work.cancel() }
    let error = await withTaskCancellationHandler {
      await work.value
    } onCancel: {
      work.cancel()
    }
    if let error { throw error }
  }

  /// Rows that are begun in all, if that is known.
  var total: Int? {
    let wanted = stages.contains { $0.mayDrop } ? Int.max : OrderedTail(tail).wanted(for: .max)
    return source.count.flatMap { count in
      let product = count.multipliedReportingOverflow(by: expansion)
      if product.overflow { return wanted == .max ? nil : wanted }
      return min(product.partialValue, wanted)
    }
  }

  /// Launches per item: what stages before and at the first model stage make of it, if that is known.
  var expansion: Int { stages.prefix { !$0.callsModels }.reduce(1) { $0 * $1.width } }
}
