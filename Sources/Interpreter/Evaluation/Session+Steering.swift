import Language

/// What only steers acts on what runs or looks at it; it sends nothing, waits for nothing and binds nothing. Such a line may run beside
/// what runs in the foreground, and come from another place than the prompt.
extension Session {
  public func steers(_ program: Program) -> Bool {
    !program.block.statements.isEmpty && offence(in: program) == nil
  }

  /// What of a program does more than steer, as an error that names it; nil where nothing does.
  public func refusal(of program: Program) -> Diagnostic? {
    (offence(in: program) ?? closing(program)).map { offence in
      Diagnostic(
        offence.what, at: offence.span,
        help: "from elsewhere go \(CommandRegistry.steering.joined(separator: ", ")), and live settings"
      ).located(in: program.source)
    }
  }

  /// A line that would close the door it came through.
  private func closing(_ program: Program) -> Offence? {
    for statement in program.block.statements {
      guard case .pipeline(let pipeline) = statement.node else { continue }
      for case .command(let command) in pipeline.stages where command.words.count > 1 {
        guard case .word("control")? = command.words.first?.node else { continue }
        return Offence(what: "who may steer is not set from elsewhere", span: command.words[0].span)
      }
    }
    return nil
  }

  private struct Offence {
    var what: String
    var span: Span
  }

  private func offence(in program: Program) -> Offence? {
    for statement in program.block.statements {
      if let offence = offence(in: statement) { return offence }
    }
    return nil
  }

  private func offence(in statement: Statement) -> Offence? {
    if statement.isBackground { return Offence(what: "`&` does not steer: it starts something", span: statement.span) }
    guard case .pipeline(let pipeline) = statement.node else {
      return Offence(what: "this statement does not steer", span: statement.span)
    }
    for (index, stage) in pipeline.stages.enumerated() {
      guard case .command(let command) = stage, let definition = CommandRegistry.named(command.name.text) else {
        return Offence(what: "this does not steer: it is no command that does", span: stage.span)
      }
      if let offence = offence(in: command, definition, isFirst: index == 0) { return offence }
    }
    return nil
  }

  private func offence(in command: Command, _ definition: CommandDefinition, isFirst: Bool) -> Offence? {
    let whole = Offence(what: "`\(definition.name)` does not steer", span: command.name.span)
    switch definition.steers {
    case .never: return whole
    case .always:
      if !isFirst { return whole }
      // What shows itself live (`jobs --watch`) takes the screen, and waits.
      if let flag = command.flags.first(where: { !["in-order", "json"].contains($0.name.text) }) {
        return Offence(what: "`\(definition.name) --\(flag.name.text)` does not steer", span: flag.name.span)
      }
      return command.arguments.first { !isJobName($0) }.map { Offence(what: "only the name of a job stands here", span: $0.span) }
    case .liveSettings: return isFirst ? offence(inSetting: command.words) : whole
    case .behind:
      if isFirst { return Offence(what: "`\(definition.name)` steers only behind `peek`", span: command.name.span) }
      if let slow = command.arguments.first(where: { !isQuick($0) }) { return self.slow(slow.span) }
      return command.flags.first { !($0.value.map(isQuick) ?? true) }.map { slow($0.name.span) }
    }
  }

  private func slow(_ span: Span) -> Offence { Offence(what: "this may send or wait, so it does not steer", span: span) }

  /// Whether an argument may be a job's name or number, which is not waited for.
  private func isJobName(_ expression: Expression) -> Bool {
    switch expression.node {
    case .name, .job: true
    default: false
    }
  }

  private func offence(inSetting words: [SettingValue]) -> Offence? {
    guard let first = words.first else { return nil }
    guard case .word(let name) = first.node, let setting = SettingDefinition.named(name) else {
      return Offence(what: "this is no setting", span: first.span)
    }
    var isForJob = false
    if words.count >= 4, case .word("for") = words[words.count - 2].node { isForJob = true }
    guard setting.isLive || isForJob || words.count == 1 else {
      return Offence(
        what: "`set \(setting.name)` shapes answers to come, so it does not steer (`set \(setting.name) … for JOB` does)", span: first.span)
    }
    return words.dropFirst().first { !isQuick($0) }.map { self.slow($0.span) }
  }

  private func isQuick(_ value: SettingValue) -> Bool {
    switch value.node {
    case .word: true
    case .list(let values): values.allSatisfy(isQuick)
    case .expression(let expression): isQuick(expression)
    }
  }

  /// Whether an expression neither sends nor waits: no commands in it, nothing of the user's that could hold some, no job.
  private func isQuick(_ expression: Expression) -> Bool {
    switch expression.node {
    case .nothing, .bool, .int, .number, .duration: true
    case .pipeline, .block, .job: false
    case .name(let name):
      switch globals.lookup(name) {
      case .job, .function, .prompt: false
      default: true
      }
    case .text(let pieces): pieces.allSatisfy { if case .hole(let inner) = $0 { isQuick(inner) } else { true } }
    case .list(let elements): elements.allSatisfy(isQuick)
    case .record(let members): members.allSatisfy { isQuick($0.value) }
    case .field(let base, _), .unary(_, let base): isQuick(base)
    case .index(let left, let right), .binary(_, let left, let right), .range(let left, let right): isQuick(left) && isQuick(right)
    case .call(let callee, let arguments): isQuick(callee) && arguments.allSatisfy { isQuick($0.value) }
    }
  }
}
