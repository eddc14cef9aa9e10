import Language

extension Invocation {
  /// The jobs that the arguments name: a variable that holds one, its name, or `%1`.
  func jobs() async throws -> [JobHandle] {
    var handles: [JobHandle] = []
    for argument in command.arguments {
      if case .name(let name) = argument.node, context.scope.lookup(name) == nil,
        let handle = session.jobs.last(where: { $0.job.name == name })
      {
        handles.append(handle)
        continue
      }
      if case .job(let handle)? = try? await context.raw(argument) {
        handles.append(handle)
      } else if case .name(let name) = argument.node, let handle = session.jobs.last(where: { $0.variable == name }) {
        handles.append(handle)
      } else {
        throw error("this is no job", at: argument.span, help: "`jobs` lists them; a name or %1")
      }
    }
    return handles
  }
}
