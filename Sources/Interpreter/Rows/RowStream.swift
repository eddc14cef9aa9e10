import Chat
import Language
import Scheduling
import Threads

/// Rows that have not been fetched yet, and what is to happen to each. Stages are added as the pipeline is read; nothing runs until
/// somebody asks for the rows.
///
/// Without models in it, it is a loop. With models, one producer waits for a slot for every row, in order, and only then makes a
/// task for it: a million rows are never a million tasks.
struct RowStream: Sendable {
  let source: any ItemSource
  var stages: [any RowStage] = []
  /// As it was when the statement was launched.
  let context: Context

  init(source: any ItemSource, stages: [any RowStage] = [], context: Context) {
    self.source = source
    self.stages = stages
    self.context = context.launched
  }

  func adding(_ stage: any RowStage) -> RowStream {
    var copy = self
    copy.stages.append(stage)
    return copy
  }

  private var firstModelStage: Int? { stages.firstIndex { $0.callsModels } }

  // MARK: taking the rows

  /// All rows as a list, in order. A cancelled run gives what had finished.
  func collect(named: String?) async throws -> [Value] { try await collectRows(named: named).map(\.value) }

  /// The same, each with its place.
  func collectRows(named: String?) async throws -> [Row] {
    try await check()
    let rows = Mutex<[Row]>([])
    try await run(named: named, room: nil) { (finished: [Row], _: Int) in
      rows.withLock { $0 += finished }
    } partial: {
      rows.withLock { $0.map(\.value) }
    }
    var all = rows.withLock { $0 }
    // Rows mostly finish nearly in order; sorting what is sorted is cheap.
    if !zip(all, all.dropFirst()).allSatisfy({ $0.index <= $1.index }) { all.sort { $0.index < $1.index } }
    do {
      try finish()
    } catch {
      // What came of the rows was paid for, whatever is wrong with a rule behind them.
      if firstModelStage != nil, context.depth == 0 { context.session.globals.set("_", .list(all.map(\.value))) }
      throw error
    }
    return all
  }

  /// Hands every row to `body`, in order, holding only a window of them in memory.
  func forEach(named: String?, _ body: (Value) async throws -> Void) async throws {
    try await check()
    guard firstModelStage != nil else {
      let program = RowProgram(stages, context)
      var number = 0
      while let item = try await source.next() {
        if number % 256 == 0 { try Task.checkCancellation() }
        for row in try await program.apply(from: 0, Row(index: number, value: item), context) { try await body(row.value) }
        number += 1
      }
      return try finish()
    }
    let queue = RowQueue(room: max(1024, 8 * context.session.world.engine.limiter.inUse))
    let production = Task<Void, any Error> {
      defer { queue.finish() }
      try await run(named: named, room: queue) { (rows: [Row], item: Int) in
        queue.put(rows, item: item)
      } partial: {
        []
      }
    }
    do {
      try await withTaskCancellationHandler {
        while let rows = await queue.next() {
          for row in rows { try await body(row.value) }
        }
        try await production.value
      } onCancel: {
        production.cancel()
      }
      try finish()
    } catch {
      // Whoever takes the rows cannot go on (a full disk, say): nothing more is sent.
      production.cancel()
      while await queue.next() != nil {}
      throw error
    }
  }

  /// What is wrong with the items that are there already, before anything is sent.
  private func check() async throws {
    guard var visible = source.visible else { return }
    for stage in stages {
      try await stage.check(visible, context)
      // Behind a stage that makes new values of the items, what they will be is not known yet.
      if stage.callsModels || !(stage is FilterStage) { visible = [] }
    }
  }

  /// Each stage says what it left out.
  private func finish() throws { for stage in stages { try stage.finish(context) } }

  // MARK: running

  /// - Parameter finished: takes each item's rows, as soon as they are done, from any thread.
  private func run(
    named: String?, room: RowQueue?, _ finished: @escaping @Sendable ([Row], Int) -> Void,
    partial: @escaping @Sendable () -> [Value]
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
    let scope = JobScope(context, named ?? "map", variable: named, total: total, hasRows: true)
    scope.begin(partial: partial)
    defer { scope.end() }
    // The work is a task of its own, so that a key or `cancel` can end it and what finished is still taken.
    let work = Task<(any Error)?, Never>(executorPreference: stages.allSatisfy(\.isLight) ? context.session.world.executor : nil) {
      await launch(from: first, scope, room, finished)
    }
    scope.onCancel { work.cancel() }
    let error = await withTaskCancellationHandler {
      await work.value
    } onCancel: {
      work.cancel()
    }
    if let error { throw error }
  }

  /// Rows in all, if that is known.
  private var total: Int? {
    source.count.flatMap { count in
      let product = count.multipliedReportingOverflow(by: expansion)
      return product.overflow ? nil : product.partialValue
    }
  }

  /// Launches per item: what stages before and at the first model stage make of it, if that is known.
  var expansion: Int { stages.prefix { !$0.callsModels }.reduce(1) { $0 * $1.width } }

  /// Makes a task for every row, as soon as one may begin; returns the first error that ended the run.
  private func launch(
    from first: Int, _ scope: JobScope, _ room: RowQueue?, _ finished: @escaping @Sendable ([Row], Int) -> Void
  ) async -> (any Error)? {
    let limiter = context.session.world.engine.limiter
    let failure = FirstError()
    let before = RowProgram(Array(stages[..<first]), context)
    let after = RowProgram(Array(stages[first...]), context)
    let executor = stages.allSatisfy(\.isLight) ? context.session.world.executor : nil
    let rowsBegun = RowGroup(scope.job, within: context.row)
    await withDiscardingTaskGroup { group in
      var (number, sequence) = (0, 0)
      var unbegun: [Row] = []
      do {
        while scope.mayLaunch, !Task.isCancelled, failure.error == nil, let item = try await source.next() {
          let rows = try await before.apply(from: 0, Row(index: number, value: item), context)
          number += 1
          scope.leftOut(expansion - rows.count)
          for row in rows {
            await room?.admit()
            guard let begun = await limiter.begin(rowsBegun) else {
              unbegun.append(row)
              continue
            }
            let place = sequence
            sequence += 1
            group.addTask(executorPreference: executor) {
              var context = context
              (context.jobScope, context.row, context.tracker) = (scope, begun, nil)
              var done: [Row] = []
              do {
                done = try await after.apply(from: 0, row, context)
              } catch {
                if !(error is CancellationError) { failure.note(error) }
              }
              limiter.end(begun)
              scope.ended(done.map(\.value), hasSent: begun.hasSent, isSkipped: row.value.failure != nil)
              finished(done, place)
            }
          }
        }
        if failure.error == nil, !scope.mayLaunch, room != nil, try await isUnfinished(unbegun) { scope.unsentUnkept() }
        if room == nil, failure.error == nil, !scope.mayLaunch || Task.isCancelled {
          // Not on the thread that reads the network: a hundred thousand prompts are made here, and streams wait there to be closed.
          await withTaskExecutorPreference(globalConcurrentExecutor) { [unbegun, number, sequence] in
            await keepUnsent(unbegun, before, after, number, sequence) { (rows: [Row], place: Int) in
              scope.unsent(rows)
              finished(rows, place)
            }
          }
        }
      } catch {
        failure.note(error)
      }
    }
    return failure.error
  }
}

extension RowStream {
  /// More than this is not kept: nobody retries by hand what was never begun.
  private static let maximumUnsent = 100_000

  /// Whether a run that stopped had rows left. A file is not read on for it: it may be a pipe that nobody writes to.
  fileprivate func isUnfinished(_ unbegun: [Row]) async throws -> Bool {
    if !unbegun.isEmpty || source.count == nil { return true }
    return try await source.next() != nil
  }

  /// A run that was stopped keeps a row for every prompt it did not send: `retry` finds them there.
  fileprivate func keepUnsent(
    _ unbegun: [Row], _ before: RowProgram, _ after: RowProgram, _ number: Int, _ sequence: Int,
    _ finished: @escaping @Sendable ([Row], Int) -> Void
  ) async {
    var (number, sequence) = (number, sequence)
    var rows = unbegun
    while rows.count < Self.maximumUnsent, let item = try? await source.next() {
      rows += (try? await before.apply(from: 0, Row(index: number, value: item), context)) ?? []
      number += 1
    }
    for row in rows {
      guard let unsent = await after.unsent(row, context) else { continue }
      finished([unsent], sequence)
      sequence += 1
    }
  }
}

/// The first of the errors that many tasks may meet.
private final class FirstError: Sendable {
  private let first = Mutex<(any Error)?>(nil)
  var error: (any Error)? { first.withLock { $0 } }
  func note(_ error: any Error) { first.withLock { $0 = $0 ?? error } }
}
