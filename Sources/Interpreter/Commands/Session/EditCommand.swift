import Language

extension CommandDefinition {
  static let edit = CommandDefinition(
    name: "edit", group: .session, summary: "opens $EDITOR on the last entry, or on a variable's text; what it leaves stands at the prompt",
    usage: ["edit", "edit text"], arguments: 0...1, showsItself: true
  ) { call in
    guard call.session.isAttended else { throw call.error("`edit` is for the prompt: nobody is there to edit", at: call.command.name.span) }
    let text =
      call.command.arguments.isEmpty
      ? call.world.system.history().last { $0 != "edit" } ?? "" : try await call.text(0, "what is edited")
    do throws(FileProblem) {
      call.session.offer(draft: try await call.world.system.edit(text))
    } catch { throw call.error(error.message) }
    return .value(.nothing)
  }
}
