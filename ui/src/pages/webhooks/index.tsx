export { default } from "@/pages/webhooks/Webhooks";
