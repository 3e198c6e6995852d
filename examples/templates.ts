import { formatTemplate, lintTemplate, variableUsesOf } from '@promptkeep/client/templates'

const text = `{% if tone == 'formal' %}Dear {{ name }}{% else %}Hi {{ name }}{% endif %},
{%- for task in tasks %} {{ loop.index }}. {{ task.title }}{% if not loop.last %};{% endif %}{% endfor %}`

const tasks = [{ title: 'read' }, { title: 'write {{ name }}' }]
console.log(formatTemplate(text, { name: 'Ada', tone: 'formal', tasks })) // Dear Ada, 1. read; 2. write {{ name }}
console.log(formatTemplate(text, { name: 'Ada', tasks: [] })) // Hi Ada,

const uses = variableUsesOf(text).map(({ name, required }) => name + (required ? '' : '?'))
console.log(uses.join(' ')) // tone? name tasks

const chat = [
  { role: 'system', content: 'Answer {{ name }}.' },
  { role: 'placeholder', content: '{{ history }}' },
]
const history = [{ role: 'user', content: 'Hello!' }]
const messages = formatTemplate(chat, { name: 'Ada', history })
console.log(messages.map(({ role, content }) => `${role}: ${content}`).join(' ')) // system: Answer Ada. user: Hello!

const [finding] = lintTemplate('Hi {{ nmae }}', ['name'])
console.log(`${finding?.line}:${finding?.column} ${finding?.message}`) // 1:4 variable nmae is not declared. Did you mean name?
