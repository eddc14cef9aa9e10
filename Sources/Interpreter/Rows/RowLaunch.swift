import Chat
import Scheduling
import Threads

/// One run of a stream's rows: begins them in order, each as a task of its own as soon as it may, and keeps those that a stop left
/// unbegun.
///
/// Where the rows go to several models, those of each wait apart (`ParkedRows`): a server that refuses, or is slow, holds up only its own.
final class RowLaunch: Sendable {
  private let stream: RowStream
  private let scope: JobScope
  private let window: RowWindow?
  private let keepsUnsent: Bool
  /// Also such as came by a filter: what it would have said of them nobody knows.
  private let keepsUnjudged: Bool
  /// Takes each row's rows with its place, as soon as they are done, from any thread.
  private let finished: @Sendable ([Row], Int) -> Void
  /// Told where rows were left.
  private let isCut: @Sendable () -> Void
  private let program: RowProgram
  /// The first stage that calls models: those before it run as the rows are begun.
  private let first: Int
  private let rows: RowGroup
  /// Whether its rows may ask for something on their way, or what they bring is nowhere else as long as a row around them goes on.
  private let hasHand: Bool
  private let executor: (any TaskExecutor)?
  /// How many rows were begun.
  private let launched = Atomic(0)
  private let failure = Mutex<(any Error)?>(nil)
  /// With its place, where it had been given one.
  private let unbegun = Mutex<[(row: Row, place: Int?)]>([])

  /// What holds for each row, but for which one it is.
  private let rowContext: Context

  private var context: Context { stream.context }
  private var limiter: Limiter { context.session.world.engine.limiter }

  init(
    _ stream: RowStream, from first: Int, _ scope: JobScope, _ window: RowWindow?, keepsUnsent: Bool, keepsUnjudged: Bool,
    _ finished: @escaping @Sendable ([Row], Int) -> Void, _ isCut: @escaping @Sendable () -> Void
  ) {
    self.isCut = isCut
    (self.stream, self.scope, self.window, self.finished) = (stream, scope, window, finished)
    (self.keepsUnsent, self.keepsUnjudged) = (keepsUnsent, keepsUnjudged)
    self.first = first
    program = RowProgram(stream.stages, stream.context)
    rows = RowGroup(scope.job, within: stream.context.row)
    var context = stream.context
    if context.row == nil { context.family = nil }
    (context.jobScope, context.tracker) = (scope, nil)
    rowContext = context
    let isLight = stream.stages.allSatisfy(\.isLight)
    hasHand = !isLight || context.inHand.map { $0.isWithinRow || $0.depth > 0 } ?? false
    executor = isLight ? stream.context.session.world.executor : nil
  }

  /// Returns the first error that ended the run.
  func run() async -> (any Error)? {
    await withDiscardingTaskGroup { group in
      var (number, place) = (0, 0)
      do {
        (number, place) = try await begin(&group)
      } catch {
        // One that waits for the next item is cancelled with the run.
        if !(error is CancellationError) { note(error) }
      }
      let left = unbegun.withLock { $0 }
      // No more come than were begun; whatever else there was behind a `take` that has enough, nobody wanted.
      if error == nil, scope.mayLaunch, !Task.isCancelled || window?.isClosed == true { scope.setTotal(launched.load(ordering: .relaxed)) }
      guard error == nil else { return }
      do {
        // What runs within a row goes on when its job begins nothing new, until something refuses it leave.
        let isStopped = !scope.mayLaunch || Task.isCancelled || !left.isEmpty && window?.isClosed != true
        if !keepsUnsent, isStopped, try await isUnfinished(left.map(\.row)) {
          cut()
          if !scope.mayLaunch { scope.unsentUnkept() }
        }
        if keepsUnsent, isStopped {
          // Not on the thread that reads the network: a hundred thousand prompts are made here, and streams wait there to be closed.
          await withTaskExecutorPreference(globalConcurrentExecutor) { [number, place] in await keepUnsent(left, number, place) }
        }
      } catch {
        note(error)
      }
    }
    return error
  }

  /// Rows are left of which nothing is kept.
  private func cut() {
    isCut()
    hold()
  }

  /// The row within which all this runs has not all that it asked for.
  private func hold() {
    if window?.isClosed == true { return }
    let isCancelled = Task.isCancelled || scope.job.isCancelled
    context.attempted?.hold(isCancelled ? Failure(.cancelled, "cancelled") : Failure(.notSent, "not sent"))
  }

  private var error: (any Error)? { failure.withLock { $0 } }

  private func note(_ error: any Error) {
    failure.withLock { $0 = $0 ?? error }
    limiter.stop(rows)
  }

  private var goesOn: Bool { scope.mayLaunch && !Task.isCancelled && error == nil }

  /// Begins the rows; returns how many items were read, and places given, when no more are to begin.
  private func begin(_ group: inout DiscardingTaskGroup) async throws -> (items: Int, places: Int) {
    var (number, place) = (0, 0)
    // What the stages before the first model made of an item, in reverse.
    var pending: [Row] = []
    let stage = program.stages[first]
    guard stage.hasSeveralLanes else {
      while goesOn, let row = try await next(&pending, &number) {
        guard let begun = await limiter.begin(rows) else {
          leave(row, nil)
          // Nor will another: whatever the rows do that have begun.
          break
        }
        start(row, place, begun, in: &group)
        place += 1
      }
      leave(pending)
      return (number, place)
    }
    return try await withThrowingDiscardingTaskGroup { lines in
      var parked: [ModelName: ParkedRows] = [:]
      defer { for line in parked.values { line.end() } }
      while goesOn, let row = try await next(&pending, &number) {
        let model = stage.lane(of: row, context)
        let line = parked[model]
        // In the order of the rows as long as none of its lane waits, so that each lane has its share of the width from the start.
        if line?.isEmpty ?? true, let begun = limiter.beginNow(rows, for: model) {
          start(row, place, begun, in: &group)
        } else if let line {
          line.put(row, place)
        } else {
          let line = ParkedRows()
          parked[model] = line
          line.put(row, place)
          lines.addTask { await self.begin(line, for: model) }
        }
        place += 1
      }
      leave(pending)
      return (number, place)
    }
  }

  /// Begins the rows of one lane.
  private func begin(_ line: ParkedRows, for model: ModelName) async {
    await withDiscardingTaskGroup { group in
      while let (row, place) = await line.next() {
        if goesOn, let begun = await limiter.begin(rows, for: model) {
          start(row, place, begun, in: &group)
        } else {
          leave(row, place)
        }
        line.settled()
      }
    }
  }

  /// The next row in the order of the items, its place in the window taken; nil where there is none, or none is wanted.
  private func next(_ pending: inout [Row], _ number: inout Int) async throws -> Row? {
    // A place first, and the item then: whoever makes the items is asked for no more than is wanted.
    let wanted = await window?.admit()
    if window != nil, wanted == nil { return nil }
    while pending.isEmpty {
      stream.source.want(wanted ?? .max)
      guard goesOn, let item = try await stream.source.next() else {
        window?.giveBack()
        return nil
      }
      pending = try await program.apply(from: 0, to: first, Row(index: number, value: item), context).reversed()
      number += 1
      scope.leftOut(stream.expansion - pending.count)
    }
    return pending.removeLast()
  }

  private func start(_ row: Row, _ place: Int, _ begun: BegunRow, in group: inout DiscardingTaskGroup) {
    launched.add(1, ordering: .relaxed)
    group.addTask(executorPreference: executor) { [self] in
      var context = rowContext
      context.row = begun
      let hand = hasHand ? InHand(rowOf: context.inHand, depth: context.depth, context.session.underWay) : nil
      if let hand { context.inHand = hand }
      var done: [Row] = []
      var isCancelled = false
      do {
        done = try await program.apply(from: first, row, context, keepsCancelled: true)
      } catch {
        isCancelled = error is CancellationError
        if !isCancelled { note(error) }
      }
      let handedOn = ended(row, place, begun, done, isCancelled: isCancelled, around: context.attempted)
      hand?.release(handedOn)
    }
  }

  /// A row is done: its job hears of it, and whoever takes the rows.
  ///
  /// - Returns: what he takes.
  @inline(never)  // else it stands in the frame that waits for the answer
  private func ended(_ row: Row, _ place: Int, _ begun: BegunRow, _ made: [Row], isCancelled: Bool, around: Attempted?) -> [Row] {
    var done = made.map { $0.with(chain: begun.calls) }
    scope.ended(
      done.map(\.value), hasSent: begun.hasSent,
      isSkipped: row.value.failure != nil && !begun.hasSent && !program.stages[first].mends, isCancelled: isCancelled,
      dropped: begun.droppedFailure)
    if let around {
      if isCancelled { around.hold(Failure(.cancelled, "cancelled")) }
      for row in done { if let failure = program.heldBack(row) { around.hold(failure) } }
    }
    if !keepsUnjudged, done.contains(where: \.isUnjudged) {
      // Whoever takes the rows as they come takes what has passed his filters.
      done.removeAll(where: \.isUnjudged)
      cut()
    }
    // The brake has heard of its failure before another row takes its place.
    limiter.end(begun)
    finished(done, place)
    return done
  }

  // MARK: what is not begun

  /// More than this is not kept: nobody retries by hand what was never begun.
  private static let maximumUnsent = 100_000
  private static let maximumUnsentAtTheEnd = 2000

  /// A row gives the place back that it took in the window; the one that it has in the order stays its own.
  private func leave(_ row: Row, _ place: Int?) {
    unbegun.withLock { $0.append((row, place)) }
    window?.giveBack()
  }

  private func leave(_ pending: [Row]) { unbegun.withLock { $0 += pending.reversed().map { ($0, nil) } } }

  /// Whether a run that stopped had rows left. A file is not read on for it: it may be a pipe that nobody writes to.
  private func isUnfinished(_ left: [Row]) async throws -> Bool {
    if !left.isEmpty || stream.source.count == nil { return true }
    return try await stream.source.next() != nil
  }

  /// A run that was stopped keeps a row for every prompt it did not send: `retry` finds them there.
  private func keepUnsent(_ left: [(row: Row, place: Int?)], _ number: Int, _ place: Int) async {
    var (number, place) = (number, place)
    var left = left.filter { $0.place != nil }.sorted { $0.place ?? 0 < $1.place ?? 0 } + left.filter { $0.place == nil }
    // The end of the program waits a moment only for rows on their way into a file.
    let kept =
      window != nil && context.session.isEnding && !context.session.wasInterrupted ? Self.maximumUnsentAtTheEnd : Self.maximumUnsent
    let most = min(kept, window?.left ?? .max)
    defer { if !left.isEmpty { isCut() } }
    while left.count < most {
      do {
        guard let item = try await stream.source.next() else { break }
        left += try await program.apply(from: 0, to: first, Row(index: number, value: item), context).map { ($0, nil) }
        number += 1
      } catch {
        if !(error is CancellationError) { note(error) }
        break
      }
    }
    if left.count >= kept, let count = stream.source.count, count > number {
      context.tell("\(count - number) more rows were not sent and are not kept: only running the statement again sends them")
    }
    let isJudged = program.stages[first...].contains { $0.mayDrop }
    for (row, own) in left {
      guard let unsent = await program.unsent(at: first, row, context) else { continue }
      if !keepsUnjudged, isJudged {
        scope.unsent([unsent])
        cut()
        continue
      }
      if let window, !window.admitUnsent() { return }
      scope.unsent([unsent])
      hold()
      finished([unsent], own ?? place)
      if own == nil { place += 1 }
    }
  }
}
