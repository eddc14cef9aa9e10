import Language

extension CommandDefinition {
  static let watch = CommandDefinition(
    name: "watch", group: .look, summary: "shows a value again whenever it changes, until a key (in a script: until no job runs)",
    usage: ["watch job", "watch (peek job | count)", "watch jobs"], arguments: 1...1, showsItself: true, takesRowExpressions: true,
    examples: ["let facts = map 1..3 \"A fact about {it}.\" &\nwatch facts\ngather facts"]
  ) { call in
    let (session, context, expression) = (call.session, call.context, call.command.arguments[0])
    try await call.world.output.live {
      session.jobs.allSatisfy(\.job.isOver)
    } _: {
      // A job is looked at, not waited for.
      if call.command.watchesJobs, context.scope.lookup("jobs") == nil { return session.jobTable }
      let value = try await context.raw(expression)
      if case .job(let handle) = value { return .list([call.session.row(handle)]) }
      return value
    }
    return .value(.nothing)
  }
}

extension Command {
  /// `watch jobs`: a word that stands for itself, where no variable has the name.
  var watchesJobs: Bool {
    guard name.text == "watch", arguments.count == 1, case .name("jobs") = arguments[0].node else { return false }
    return true
  }
}
