import Chat
import Language
import Threads

/// The stages of a pipeline and what they run in: fixed when it is launched, and kept by the rows that failed.
final class RowProgram: Sendable {
  let stages: [any RowStage]
  let context: Context
  /// The first that makes calls: of a row that failed there, none came before.
  private let firstCalling: Int
  /// Where its statement stands.
  private let statement: Span?
  /// The same as rows keep it that are made again; made when the first of them is.
  private let again = Mutex<RowProgram?>(nil)

  init(_ stages: [any RowStage], _ context: Context) {
    self.stages = stages
    firstCalling = stages.firstIndex { $0.callsModels } ?? .max
    var kept = context
    statement = context.inHand?.statement
    // What belongs to the statement as it ran holds its rows, which hold this: what it has in hand, its job with what it gave.
    (kept.inHand, kept.paid, kept.tracker, kept.jobScope, kept.row, kept.launchedBy) = (nil, nil, nil, nil, nil, nil)
    (kept.remarks, kept.attempted, kept.board, kept.family, kept.invariants) = (nil, nil, nil, nil, nil)
    (kept.output, kept.line, kept.children) = (nil, nil, Children())
    self.context = kept
  }

  /// A function's scope is not held by its rows, which it may hold: they have a copy of it, with what is named in their statement.
  var forRetry: RowProgram {
    // Their names are worked out, and the rows let go of.
    _ = context.rowFields?.all
    if context.scope.isKept { return self }
    return again.withLock { again in
      if let again { return again }
      var copy = context
      copy.scope = context.scope.kept(statement.map { Launch.names(in: context.source.text($0), [context.scope]) })
      let program = RowProgram(stages, copy)
      again = program
      return program
    }
  }

  /// Whether a row was made by it.
  fileprivate func made(_ origin: RowOrigin?) -> Bool { origin.map { $0.program === forRetry } ?? false }

  /// Takes a row through the stages from one on, to the last or to that before `end`.
  ///
  /// - Parameter keepsCancelled: what a stage was cancelled with stands in the result, so that what came before is not lost and it can
  ///   be made again.
  func apply(
    from stage: Int, to end: Int? = nil, _ row: Row, _ context: Context, keepsCancelled: Bool = false
  ) async throws -> [Row] {
    guard stage < end ?? stages.count else { return [row] }
    if stage > 0, heldBack(row) != nil, stages[stage].mayDrop || stages[stage].callsModels {
      var row = stages[stage].handOn(row)
      // Without its answer it is not known whether it would pass.
      if stages[stage].mayDrop { row.isUnjudged = true }
      return try await apply(from: stage + 1, to: end, row, context, keepsCancelled: keepsCancelled)
    }
    // What its calls took before this stage stays, whatever becomes of it here.
    let before = stage > firstCalling && stages[stage].callsModels ? context.row?.calls : nil
    var made: [Row]
    do { made = try await stages[stage].apply(row, context) } catch is CancellationError where keepsCancelled {
      guard let cancelled = stages[stage].cancelled(row, context) else { throw CancellationError() }
      made = [cancelled]
    }
    if made.isEmpty, stages[stage].mayDrop, let failure = failure(of: row) { context.row?.noteDropped(failure) }
    if row.isUnjudged { for index in made.indices { made[index].isUnjudged = true } }
    return try await goOn(behind: stage, to: end, row, made, context, keepsCancelled, before)
  }

  /// Why there is no answer where a stop held the row back in this pipeline, or a call for a column of it; or where it was cancelled.
  func heldBack(_ row: Row) -> Failure? {
    let failure = row.value.rowFailure
    if failure == nil, row.value.lacking == nil { return nil }
    guard made(failure != nil ? row.value.origin : row.value.lacking) else { return nil }
    if let failure { return failure.kind == .notSent || failure.kind == .cancelled ? failure : nil }
    return row.value.lacking?.calls?.heldBack
  }

  /// Why it failed in this pipeline, or a call for a column of it.
  private func failure(of row: Row) -> Failure? {
    if let failure = row.value.rowFailure { return made(row.value.origin) ? failure : nil }
    return row.value.lacking.flatMap { made($0) ? $0.calls?.last?.failure : nil }
  }

  /// Takes a row that failed at a stage through it once more, and through those behind it. One that came to it so is made again first,
  /// where it comes from.
  func again(_ origin: RowOrigin, _ context: Context) async throws -> [Row] {
    guard origin.cameSo else {
      if let before = origin.before { context.row?.carry(before) }
      let made = try await stages[origin.stage].again(origin.row, origin.old, context)
      return try await goOn(behind: origin.stage, to: nil, origin.row, made, context, false, origin.before)
    }
    var done: [Row] = []
    for var row in try await context.makingAgain(origin.row) {
      row.variant = origin.row.variant
      done += try await apply(from: origin.stage, row, context)
    }
    return done
  }

  /// What stands in the result for a row that was never begun at a stage.
  func unsent(at stage: Int, _ row: Row, _ context: Context) async -> Row? {
    var cameSo: RowOrigin?
    // One that had failed before is handed on as ever.
    let isHandedOn = row.value.failure != nil && !stages[stage].mends
    let unsent = isHandedOn ? row : await stages[stage].unsent(row, context)
    return unsent?.keepingOrigin(of: row, at: stage, self, &cameSo, nil)
  }

  private func goOn(
    behind stage: Int, to end: Int?, _ row: Row, _ made: [Row], _ context: Context, _ keepsCancelled: Bool, _ before: CallTally?
  ) async throws -> [Row] {
    var cameSo: RowOrigin?
    let made = made.map { $0.keepingOrigin(of: row, at: stage, self, &cameSo, before) }
    if stage + 1 == end ?? stages.count { return made }
    if stages[stage].callsModels { context.inHand?.hold(asked: made.map(\.value)) }
    let isShared = made.count > 1 && stages[(stage + 1)..<(end ?? stages.count)].contains(where: \.callsModels)
    guard isShared else {
      var done: [Row] = []
      for row in made { done += try await apply(from: stage + 1, to: end, row, context, keepsCancelled: keepsCancelled) }
      return done
    }
    // What one row became in the middle of a chain goes on side by side.
    return try await withThrowingTaskGroup(of: [Row].self) { group in
      for row in made {
        group.addTask { try await self.apply(from: stage + 1, to: end, row, context, keepsCancelled: keepsCancelled) }
      }
      var done: [Row] = []
      for try await rows in group { done += rows }
      return done.sorted { $0.index < $1.index }
    }
  }
}

/// How a row that failed is made again: the stage that failed it, the row as it came there, and what it gave.
final class RowOrigin: Sendable {
  let program: RowProgram
  let stage: Int
  let row: Row
  /// Nil where the stage failed with a call of its own for a column.
  let old: ReplyRow?
  /// The calls that failed at it, where they are not the row itself.
  let calls: Attempted?
  /// The columns of the row that are not known, and why. Nothing is sent with what should stand there.
  let lacks: [String: Failure]
  /// The one that it is but for its columns: rows that one row became share it.
  private let first: RowOrigin?
  /// What the calls took that had been made for the row before the stage: their answers stay.
  let before: CallTally?
  /// Whether the row had failed before: in another pipeline, or in the file that it was loaded from.
  let cameSo: Bool
  /// Pipelines that it has gone through so.
  let depth: Int

  init(
    _ program: RowProgram, stage: Int, row: Row, old: ReplyRow? = nil, calls: Attempted? = nil, lacks: [String: Failure] = [:],
    before: CallTally? = nil, cameSo: Bool = false
  ) {
    self.before = before
    (self.program, self.stage, self.row, self.old, self.calls, self.cameSo) = (program.forRetry, stage, row, old, calls, cameSo)
    (self.lacks, first) = (lacks, nil)
    program.context.launch?.noteRowToRetry()
    depth = cameSo ? 1 + max(row.value.origin?.depth ?? 0, row.value.lacking?.depth ?? 0) : 0
  }

  /// The prompts and functions that it has not gone through, for it failed before them.
  fileprivate var stagesBehind: Int {
    program.stages[(cameSo ? stage : stage + 1)...].count { $0.answersAnew } + (cameSo ? row.value.stagesBehind : 0)
  }

  private init(_ origin: RowOrigin, lacks: [String: Failure]) {
    (program, stage, row, old, calls) = (origin.program, origin.stage, origin.row, origin.old, origin.calls)
    (cameSo, depth, self.lacks, first) = (origin.cameSo, origin.depth, lacks, origin.first ?? origin)
    before = origin.before
  }

  /// The same, with columns more that are not known.
  fileprivate func lacking(_ more: [String: Failure]) -> RowOrigin {
    more.isEmpty ? self : RowOrigin(self, lacks: lacks.merging(more) { $1 })
  }

  fileprivate var identity: ObjectIdentifier { ObjectIdentifier(first ?? self) }

  /// Why a column is not known.
  var lack: Failure { lacks.values.first ?? calls?.last?.failure ?? Failure(.notSent, "not sent") }

  /// Rows that became several when they had failed already are made again as one.
  static func groups(_ failed: [Int], of rows: [Value]) -> [[Int]] {
    var groups: [[Int]] = []
    var known: [ObjectIdentifier: Int] = [:]
    for index in failed {
      guard let origin = rows[index].originToRetry else {
        groups.append([index])
        continue
      }
      if let group = known[origin.identity] {
        groups[group].append(index)
      } else {
        known[origin.identity] = groups.count
        groups.append([index])
      }
    }
    return groups
  }

  /// Another try takes its place: what came of this one does not count any more.
  func forget(_ unanswered: Unanswered) {
    if cameSo { row.value.forgetFailure(unanswered) }
    if let old { unanswered.remove(old.reply.call) }
    calls?.forget(unanswered)
  }
}

extension Value {
  /// Whether there is no answer, or one that is not as asked.
  fileprivate var isWrong: Bool { if case .reply(let row) = self { row.reply.error != nil } else { rowFailure != nil } }

  /// Where it is made again from: a row that is answered lacks a column, and is made again from there on.
  fileprivate var originToRetry: RowOrigin? { isWrong ? origin ?? lacking : lacking ?? origin }
}

extension Value {
  /// The prompts and functions that stand behind the one that failed it. Sent again with what a file keeps of it, it would be the answer to
  /// another question than the rows beside it.
  var stagesBehind: Int {
    guard failure != nil else { return 0 }
    if let origin { return origin.stagesBehind }
    guard case .reply(let row) = self else { return 0 }
    return (row.reply.call.settings as? AnswerSettings)?.stagesBehind ?? 0
  }

  /// What it is known by while it is made again; the rows that one row became share it.
  var retryKey: ObjectIdentifier? {
    if let origin = originToRetry { return origin.identity }
    if case .reply(let row) = self { return ObjectIdentifier(row.reply.call) }
    return nil
  }
}

extension Row {
  /// A row that is a reply tells what all calls took that it came of.
  func with(chain: CallTally) -> Row {
    guard case .reply(let reply) = value else { return self }
    var copy = self
    copy.value = .reply(reply.with(chain: chain))
    return copy
  }

  /// A row that a stage failed, or whose column it could not make, remembers where.
  ///
  /// - Parameter cameSo: what the rows share that one row became which had failed before it came to this pipeline: made again, it
  ///   becomes all of them.
  fileprivate func keepingOrigin(
    of row: Row, at stage: Int, _ program: RowProgram, _ cameSo: inout RowOrigin?, _ before: CallTally?
  ) -> Row {
    guard lost != nil || lacksColumn || value.isWrong || value.lacking != nil else { return self }
    var copy = self
    (copy.lost, copy.lacksColumn, copy.lacks) = (nil, false, [:])
    if wasWrong(in: row, before: program.stages[stage]) {
      // What it has been through in this pipeline, its origin there knows.
      let known = value.isWrong ? value.origin ?? row.value.lacking ?? value.lacking : value.lacking
      if program.made(known) {
        if value.isWrong, value.origin == nil { copy.value = value.with(origin: known) }
        if !lacks.isEmpty, let known = value.lacking { copy.value = copy.value.with(lacking: known.lacking(lacks)) }
        return copy
      }
      // A filter makes nothing of it; and what a long loop makes of a row is not all kept.
      guard !program.stages[stage].mayDrop, !program.stages[stage].mends, row.value.canBeMadeAgain else { return copy }
      let origin = cameSo ?? RowOrigin(program, stage: stage, row: row, cameSo: true)
      if origin.depth > 100 { return copy }
      cameSo = origin
      let whole = origin.lacking((value.lacking?.lacks ?? [:]).merging(lacks) { $1 })
      copy.value = value.isWrong ? value.with(origin: whole) : value.with(lacking: whole)
      return copy
    }
    // Made again from the first such stage on, it goes through those behind it too.
    if lacksColumn, value.lacking == nil {
      copy.value = value.with(lacking: RowOrigin(program, stage: stage, row: row, calls: lost, lacks: lacks, before: before))
    } else if value.isWrong, value.origin == nil, !program.stages[stage].mends {
      var old: ReplyRow?
      if case .reply(let reply) = value { old = reply }
      copy.value = copy.value.with(
        origin: RowOrigin(program, stage: stage, row: row, old: old, calls: lacksColumn ? nil : lost, before: before))
    }
    return copy
  }

  /// Whether what is wrong with it was so before the stage.
  private func wasWrong(in row: Row, before stage: any RowStage) -> Bool {
    if value.isWrong {
      // What failed behind a column that is not known is made again from the column on.
      return row.value.failure != nil || row.value.lacking != nil || row.value.isWrong && !(stage is MapStage) && !(stage is EachStage)
    }
    return value.lacking != nil && row.value.lacking != nil
  }
}

extension Context {
  /// A row that has no answer, is none as asked, or lacks a column, made once more where it comes from: the stage that failed it, and
  /// those behind it, in the pipeline that it comes from; what comes from elsewhere (a file) is sent with the messages and settings that
  /// it kept.
  func makingAgain(_ row: Row) async throws -> [Row] {
    guard let origin = row.value.originToRetry else {
      guard case .reply(let old) = row.value else { return [row] }
      let (reply, parsed) = await call(again: old.reply.call)
      let columns = (reply.call.settings as? AnswerSettings)?.labels(old.columns) ?? old.columns
      return [
        Row(index: row.index, value: .reply(ReplyRow(reply, index: old.index, item: old.item, columns: columns, parsed: parsed)))
      ]
    }
    var inner = origin.program.context
    (inner.jobScope, inner.row, inner.launchedBy, inner.tracker, inner.board) = (jobScope, self.row, launchedBy, nil, nil)
    (inner.retried, inner.family, inner.output, inner.line) = (retried, family, output, line)
    // What is told, waited for and held belongs to the statement that retries.
    (inner.remarks, inner.attempted, inner.children, inner.inHand, inner.paid) = (remarks, attempted, children, inHand, paid)
    return try await origin.program.again(origin, inner).map { made in
      var made = made
      made.index = row.index
      return made
    }
  }
}
