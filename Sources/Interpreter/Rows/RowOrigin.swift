import Chat

/// The stages of a pipeline and what they run in: fixed when it is launched, and kept by the rows that failed.
final class RowProgram: Sendable {
  let stages: [any RowStage]
  let context: Context

  init(_ stages: [any RowStage], _ context: Context) {
    (self.stages, self.context) = (stages, context)
  }

  /// Takes a row through the stages from one on.
  func apply(from stage: Int, _ row: Row, _ context: Context) async throws -> [Row] {
    guard stage < stages.count else { return [row] }
    let made = try await stages[stage].apply(row, context)
    return try await goOn(behind: stage, row, made, context)
  }

  /// Takes a row that failed at a stage through it once more, and through those behind it.
  func again(_ origin: RowOrigin, _ context: Context) async throws -> [Row] {
    let made = try await stages[origin.stage].again(origin.row, origin.old, context)
    return try await goOn(behind: origin.stage, origin.row, made, context)
  }

  /// What stands in the result for a row that was never begun.
  func unsent(_ row: Row, _ context: Context) async -> Row? {
    await stages.first?.unsent(row, context)?.keepingOrigin(of: row, at: 0, self)
  }

  private func goOn(behind stage: Int, _ row: Row, _ made: [Row], _ context: Context) async throws -> [Row] {
    let made = made.map { $0.keepingOrigin(of: row, at: stage, self) }
    let isShared = made.count > 1 && stages[(stage + 1)...].contains(where: \.callsModels)
    guard isShared else {
      var done: [Row] = []
      for row in made { done += try await apply(from: stage + 1, row, context) }
      return done
    }
    // What one row became in the middle of a chain goes on side by side.
    return try await withThrowingTaskGroup(of: [Row].self) { group in
      for row in made { group.addTask { try await self.apply(from: stage + 1, row, context) } }
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

  init(_ program: RowProgram, stage: Int, row: Row, old: ReplyRow? = nil, calls: Attempted? = nil) {
    (self.program, self.stage, self.row, self.old, self.calls) = (program, stage, row, old, calls)
  }

  /// Another try takes its place: what came of this one does not count any more.
  func forget(_ unanswered: Unanswered) {
    if let old { unanswered.remove(old.reply.call) }
    calls?.forget(unanswered)
  }
}

extension Value {
  /// Whether there is no answer, or one that is not as asked.
  fileprivate var isWrong: Bool { if case .reply(let row) = self { row.reply.error != nil } else { rowFailure != nil } }
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
  fileprivate func keepingOrigin(of row: Row, at stage: Int, _ program: RowProgram) -> Row {
    guard lost != nil || value.isWrong else { return self }
    var copy = self
    (copy.lost, copy.lacksColumn) = (nil, false)
    // Made again from the first such stage on, it goes through those behind it too.
    if lacksColumn, value.lacking == nil {
      copy.value = value.with(lacking: RowOrigin(program, stage: stage, row: row, calls: lost))
    } else if value.isWrong, value.origin == nil {
      var old: ReplyRow?
      if case .reply(let reply) = value { old = reply }
      copy.value = copy.value.with(origin: RowOrigin(program, stage: stage, row: row, old: old, calls: lacksColumn ? nil : lost))
    }
    return copy
  }
}
