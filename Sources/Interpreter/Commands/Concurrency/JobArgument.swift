import Language

extension Invocation {
  /// The jobs that the arguments name: a variable that holds one, its name, or `%1`.
  func jobs() async throws -> [JobHandle] {
    var handles: [JobHandle] = []
    for argument in command.arguments {
      if case .name(let name) = argument.node, let handle = session.job(named: name, in: context.scope) {
        handles.append(handle)
      } else if case .job(let handle)? = try? await context.raw(argument) {
        handles.append(handle)
      } else {
        if case .name(let name) = argument.node, let value = context.scope.lookup(name) {
          throw error("`\(name)` is no job: what it holds, \(value.kind), is there already", at: argument.span, help: "`jobs` lists them")
        }
        throw error("this is no job", at: argument.span, help: "`jobs` lists them; a name or %1")
      }
    }
    return handles
  }

  /// Says of a job that is over that nothing more can be done with it; whether that is so.
  func isOver(_ handle: JobHandle, _ consequence: String) -> Bool {
    guard handle.job.isOver else { return false }
    world.output.note("`\(handle.job.name)` is \(handle.job.progress.state.rawValue) already: \(consequence)")
    return true
  }
}
