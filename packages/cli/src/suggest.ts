export { suggest } from '@promptkeep/client/protocol'
